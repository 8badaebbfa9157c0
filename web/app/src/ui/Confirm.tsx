import { text } from '../i18n/en.ts'
import { Button } from './Button.tsx'
import { Dialog } from './Dialog.tsx'

/** Confirm asks before something is done that others see, or that can't be undone. It begins at what leaves all as it is. */
export function Confirm(props: { readonly title: string; readonly words: string; readonly label: string; readonly onDo: () => void; readonly onClose: () => void }) {
  return (
    <Dialog
      title={props.title}
      onClose={props.onClose}
      foot={
        <>
          <Button autofocus onClick={() => props.onClose()}>
            {text().cancel}
          </Button>
          <Button kind="danger" onClick={() => props.onDo()}>
            {props.label}
          </Button>
        </>
      }
    >
      <p>{props.words}</p>
    </Dialog>
  )
}
