import { createSignal } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { submission } from '../ui/submission.ts'
import { PickPeople } from './PickPeople.tsx'
import { text } from './text.ts'

/** others is how many people a group has besides oneself: the chat service's limit. */
export const others = 9

/** NewDirect chooses who is written to. */
export default function NewDirect(props: { readonly onClose: () => void }) {
  const model = useModel()
  const shell = useShell()
  const [chosen, setChosen] = createSignal<readonly string[]>([])
  const { busy, error, submit } = submission(async () => {
    if (chosen().length === 0) return
    const id = await model.openDirect(chosen())
    props.onClose()
    shell.go(`/c/${id}`)
  })
  return (
    <Dialog
      title={text().direct.title}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={props.onClose}>{core().cancel}</Button>
          <Button kind="primary" busy={busy()} disabled={chosen().length === 0} onClick={() => submit()}>
            {text().direct.open}
          </Button>
        </>
      }
    >
      <PickPeople label={text().direct.to} chosen={chosen()} onChange={setChosen} most={others} mostWords={text().direct.most} error={error()} onDone={() => submit()} />
    </Dialog>
  )
}
