import { createEffect, createMemo, createSignal, onCleanup, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { away as isAway } from '../model/away.ts'
import { useModel } from '../model/context.ts'
import { renew } from '../offline/version.ts'
import { Button } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { refreshCwIcon, wifiOffIcon } from '../ui/icons.ts'
import { saidOf } from './connection.ts'

const patience = 1_500 // ms that connecting and sending may last before anything is said: most is done by then

/** ConnectionBanner tells when the connection is not as it should be, and what waits for it. */
export function ConnectionBanner() {
  const model = useModel()
  const [now, setNow] = createSignal(Date.now())
  const [late, setLate] = createSignal(false)
  const kind = () => model.connection().kind
  const away = () => isAway(model)
  const slow = createMemo(() => kind() === 'connecting' || (kind() === 'online' && model.sending() > 0))

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

  const said = createMemo(() => saidOf(model.connection(), model.sending(), away(), late(), now()))
  const words = (): string => {
    const t = text().connection
    const what = said()
    switch (what?.kind) {
      case 'outdated':
        return t.outdated
      case 'offline':
        return what.seconds === undefined ? t.offline : t.retrying(what.seconds)
      case 'trying':
        return t.trying
      case 'connecting':
        return t.connecting
      case 'sending':
        return t.sending(model.sending())
      case undefined:
        return ''
    }
  }
  const bad = () => away() || kind() === 'outdated'
  // What is read out: that it was lost and that it is back, not each second and each attempt.
  const told = createMemo<string>((before) => (kind() === 'outdated' ? text().connection.outdated : away() ? text().connection.lost : before === '' ? '' : text().connection.back), '')

  return (
    <>
      <p class="unseen" role="status">
        {told()}
      </p>
      <Show when={said()}>
        <div class="connection" role="region" aria-label={text().connection.region} classList={{ 'connection-bad': bad() }}>
          <Show when={said()?.kind === 'offline' || said()?.kind === 'outdated'} fallback={<span class="spinner" />}>
            <Icon path={wifiOffIcon} small />
          </Show>
          <span class="numbers">{words()}</span>
          <Show when={away() && (said()?.kind === 'trying' || model.connection().kind === 'offline')}>
            <Button size="small" busy={said()?.kind === 'trying'} onClick={() => model.reconnect()}>
              {text().connection.retryNow}
            </Button>
          </Show>
          <Show when={away() && model.sending() > 0}>
            <span class="connection-waiting">{text().connection.waiting(model.sending())}</span>
          </Show>
          <Show when={kind() === 'outdated'}>
            <Button size="small" icon={refreshCwIcon} onClick={() => void renew()}>
              {text().shell.reload}
            </Button>
          </Show>
        </div>
      </Show>
    </>
  )
}
