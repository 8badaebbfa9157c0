import { createEffect, createSignal, onCleanup, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import { Button } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { refreshCwIcon, wifiOffIcon } from '../ui/icons.ts'

const patience = 1_500 // ms that connecting and sending may last before anything is said: most is done by then

/** ConnectionBanner tells when not all is as it should be. It lies over the sidebar's end (narrow: below the top bar), so that nothing moves. */
export function ConnectionBanner() {
  const model = useModel()
  const [now, setNow] = createSignal(Date.now())
  const [late, setLate] = createSignal(false)
  const kind = () => model.connection().kind
  const slow = () => kind() === 'connecting' || (kind() === 'online' && model.sending() > 0)

  createEffect(() => {
    setLate(false)
    if (!slow()) return
    const timer = setTimeout(() => setLate(true), patience)
    onCleanup(() => clearTimeout(timer))
  })
  createEffect(() => {
    if (kind() !== 'offline') return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1000)
    onCleanup(() => clearInterval(timer))
  })

  const seconds = () => {
    const connection = model.connection()
    return connection.kind === 'offline' && connection.retryAt !== undefined ? Math.max(1, Math.ceil((connection.retryAt - now()) / 1000)) : undefined
  }
  const words = (): string | undefined => {
    const t = text().connection
    const connection = model.connection()
    switch (connection.kind) {
      case 'outdated':
        return t.outdated
      case 'offline': {
        const left = seconds()
        return left === undefined ? t.offline : t.retrying(left)
      }
      case 'connecting':
        return late() ? t.connecting : undefined
      case 'online':
        return late() && model.sending() > 0 ? t.sending(model.sending()) : undefined
    }
  }
  return (
    <Show when={words()}>
      <div class="connection" role="region" aria-label={text().connection.region} classList={{ 'connection-bad': kind() === 'offline' || kind() === 'outdated' }}>
        <Show when={kind() === 'offline'} fallback={<span class="spinner" />}>
          <Icon path={wifiOffIcon} small />
        </Show>
        {/* The countdown is for the eyes: only the state is said. */}
        <span aria-hidden={seconds() !== undefined}>{words()}</span>
        <span class="unseen" role="status">
          {seconds() === undefined ? '' : text().connection.offline}
        </span>
        <Show when={seconds() !== undefined}>
          <Button size="small" onClick={() => model.reconnect()}>
            {text().connection.retryNow}
          </Button>
        </Show>
        <Show when={kind() === 'offline' && model.sending() > 0}>
          <span class="connection-waiting">{text().connection.waiting(model.sending())}</span>
        </Show>
        <Show when={kind() === 'outdated'}>
          <Button size="small" icon={refreshCwIcon} onClick={() => window.location.reload()}>
            {text().shell.reload}
          </Button>
        </Show>
      </div>
    </Show>
  )
}
