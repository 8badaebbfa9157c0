import { createSignal, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import { IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { circleAlertIcon, xIcon } from '../ui/icons.ts'
import { text } from './text.ts'

/** StorageNotice is that this device does not keep what it should. */
export default function StorageNotice() {
  const model = useModel()
  const [closed, setClosed] = createSignal<string>()
  const bad = () => {
    const state = model.storage()
    return state === 'kept' || state === closed() ? undefined : state
  }
  return (
    <Show when={bad()}>
      {(state) => (
        <div class="connection connection-bad">
          <Icon path={circleAlertIcon} small />
          <span>{text().storage[state()]}</span>
          <IconButton icon={xIcon} label={core().close} onClick={() => setClosed(state())} />
          <span class="connection-waiting">{text().storage[`${state()}Why`]}</span>
        </div>
      )}
    </Show>
  )
}
