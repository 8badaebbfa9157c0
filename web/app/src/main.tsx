import './trusted.ts'
import './ui/style.ts'
import { render } from 'solid-js/web'
import { modules } from 'virtual:modules'
import { App } from './App.tsx'
import { createLive, openAccounts } from './model/live/live.ts'
import { register } from './module.ts'

const root = document.getElementById('app')
if (root) {
  const accounts = await openAccounts()
  root.textContent = ''
  render(() => {
    const { model, rooms } = createLive(accounts)
    return <App model={model} rooms={rooms} registry={register(modules)} />
  }, root)
}
