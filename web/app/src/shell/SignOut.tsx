import { createSignal, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { useModel } from '../model/context.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'

/** SignOut asks before it erases what is kept here. */
export default function SignOut(props: { readonly onClose: () => void }) {
  const model = useModel()
  const [busy, setBusy] = createSignal(false)
  const [error, setError] = createSignal<string>()
  const signOut = async () => {
    setBusy(true)
    try {
      await model.access.signOut()
      props.onClose()
    } catch (refused) {
      setError(explain(refused))
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={text().signOut.title}
      onClose={props.onClose}
      foot={
        <>
          <Button autofocus onClick={props.onClose}>
            {text().cancel}
          </Button>
          <Button kind="danger" busy={busy()} onClick={() => void signOut()}>
            {text().account.signOut}
          </Button>
        </>
      }
    >
      <p>{text().signOut.words}</p>
      <Show when={model.sending() > 0}>
        <Banner kind="warn">{text().signOut.unsent(model.sending())}</Banner>
      </Show>
      <Show when={error()}>{(cause) => <Banner kind="danger">{cause()}</Banner>}</Show>
    </Dialog>
  )
}
