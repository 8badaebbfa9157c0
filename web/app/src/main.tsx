import './trusted.ts'
import './ui/style.ts'
import { render } from 'solid-js/web'
import { modules } from 'virtual:modules'
import { App } from './App.tsx'
import { createLive, openAccounts } from './model/live/live.ts'
import { register } from './module.ts'
import { followVersion } from './offline/version.ts'
import { whenIdle } from './offline/idle.ts'

const root = document.getElementById('app')
if (root) {
  const accounts = await openAccounts()
  root.textContent = ''
  render(() => {
    const { model, rooms } = createLive(accounts)
    return <App model={model} rooms={rooms} registry={register(modules)} />
  }, root)
  followVersion()
  // Behind what the first page needs; never for sources that change under one's hands.
  if (import.meta.env.PROD) whenIdle(() => void import('./offline/register.ts').then(({ keepOffline }) => keepOffline()))
}
