import { createSignal, Show } from 'solid-js'
import { Button, IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { refreshCwIcon, xIcon } from '../ui/icons.ts'
import { text } from './text.ts'
import { later, take } from './version.ts'

/** Offer is that there is a later version: who does not want it now gets it as the browser is started again. */
export default function Offer() {
  const [busy, setBusy] = createSignal(false)
  const [closed, setClosed] = createSignal(false)
  return (
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
  )
}
