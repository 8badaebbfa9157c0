import { createSignal, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import { later, take } from '../offline/version.ts'
import { Button, IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { circleAlertIcon, refreshCwIcon, xIcon } from '../ui/icons.ts'
import { ConnectionBanner } from './ConnectionBanner.tsx'

/** Notices are what the application says of itself. They lie over the sidebar's end (narrow: below the top bar), one above the other, so that nothing moves. */
export function Notices() {
  return (
    <div class="notices">
      <StorageNotice />
      <Offer />
      <ConnectionBanner />
    </div>
  )
}

/** Offer is that there is a later version: who does not want it now gets it as the browser is started again. */
function Offer() {
  const [busy, setBusy] = createSignal(false)
  const [closed, setClosed] = createSignal(false)
  return (
    <div role="status">
      <Show when={later() && !closed()}>
        <div class="connection">
          <Icon path={refreshCwIcon} small />
          <span>{text().version.ready}</span>
          <IconButton icon={xIcon} label={text().version.notNow} onClick={() => setClosed(true)} />
          <span class="connection-waiting">{text().version.why}</span>
          <span class="connection-does">
            <Button
              size="small"
              kind="primary"
              busy={busy()}
              onClick={() => {
                setBusy(true)
                take()
              }}
            >
              {text().version.reload}
            </Button>
          </span>
        </div>
      </Show>
    </div>
  )
}

/** StorageNotice is that this device does not keep what it should. */
function StorageNotice() {
  const model = useModel()
  const [closed, setClosed] = createSignal<string>()
  const bad = () => {
    const state = model.storage()
    return state === 'kept' || state === closed() ? undefined : state
  }
  return (
    <div role="status">
      <Show when={bad()}>
        {(state) => (
          <div class="connection connection-bad">
            <Icon path={circleAlertIcon} small />
            <span>{text().storage[state()]}</span>
            <IconButton icon={xIcon} label={text().close} onClick={() => setClosed(state())} />
            <span class="connection-waiting">{text().storage[`${state()}Why`]}</span>
          </div>
        )}
      </Show>
    </div>
  )
}
