import { createSignal, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { useModel } from '../model/context.ts'
import { Button } from '../ui/Button.tsx'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'

/** Older reads what the inbox has further down. */
export function Older(props: { readonly what: 'threads' | 'mentions' }) {
  const model = useModel()
  const [busy, setBusy] = createSignal(false)
  const read = async () => {
    setBusy(true)
    try {
      await model.inbox.older(props.what)
    } catch (error) {
      toast(text().olderFailed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void read() } })
    }
    setBusy(false)
  }
  return (
    <Show when={model.inbox.hasOlder(props.what)}>
      <div class="inbox-older">
        <Button busy={busy()} onClick={() => void read()}>
          {text().older}
        </Button>
      </div>
    </Show>
  )
}
