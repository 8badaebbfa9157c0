import './trusted.ts'
import './ui/style.ts'
import { createSignal, lazy } from 'solid-js'
import { render } from 'solid-js/web'
import { modules } from 'virtual:modules'
import { App } from './App.tsx'
import { LiveAccess, leavers, openAccounts } from './model/live/access.ts'
import type { Live } from './model/live/live.ts'
import { register } from './module.ts'
import { followVersion } from './offline/version.ts'
import { whenIdle } from './offline/idle.ts'
import { find } from './shell/paths.ts'

const Unable = lazy(() => import('./offline/Unable.tsx'))

const root = document.getElementById('app')
if (root) {
  const accounts = await openAccounts().catch((cause: unknown) => {
    console.error(cause)
    return undefined
  })
  root.textContent = ''
  render(() => {
    if (accounts === undefined) return <Unable />
    const [live, setLive] = createSignal<Live | Error | undefined>()
    const registry = register(modules)
    const access: LiveAccess = new LiveAccess(accounts, async () => {
      find(registry.routes, window.location.pathname)?.route.screen().catch(() => undefined) // it is shown next: loaded by then, or its own failure
      return setLive((await import('./model/live/live.ts')).createLive(access))
    })
    new BroadcastChannel(leavers).onmessage = ({ data }: MessageEvent<string>) => access.left(data)
    access.begin().catch((cause: unknown) => setLive(cause instanceof Error ? cause : new Error(String(cause))))
    window.addEventListener('online', () => { access.tidy() })
    return <App access={access} live={live()} registry={registry} />
  }, root)
  followVersion()
  // Behind what the first page needs; never for sources that change under one's hands.
  if (import.meta.env.PROD) whenIdle(() => void import('./offline/register.ts').then(({ keepOffline }) => keepOffline()))
}
