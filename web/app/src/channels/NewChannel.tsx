import { createSignal } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Refused } from '../ui/Refused.tsx'
import { submission } from '../ui/submission.ts'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { Switch, TextField } from '../ui/Field.tsx'
import { text } from './text.ts'

/** NewChannel makes a channel, and goes there. */
export default function NewChannel(props: { readonly onClose: () => void }) {
  const model = useModel()
  const shell = useShell()
  const [name, setName] = createSignal('')
  const [topic, setTopic] = createSignal('')
  const [hidden, setHidden] = createSignal(false)
  const [tried, setTried] = createSignal(false)
  const { busy, error, field, submit } = submission(async () => {
    setTried(true)
    if (name().trim() === '') return
    const id = await model.createChannel({ name: name().trim(), topic: topic().trim(), private: hidden() })
    props.onClose()
    shell.go(`/c/${id}`)
  })
  return (
    <Dialog
      title={text().fresh.title}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={props.onClose}>{core().cancel}</Button>
          <Button kind="primary" busy={busy()} onClick={() => submit()}>
            {text().fresh.create}
          </Button>
        </>
      }
    >
      <form class="page-inside" novalidate onSubmit={submit}>
        <TextField
          autofocus
          before="#"
          label={text().fresh.name}
          hint={text().fresh.nameHint}
          autocomplete="off"
          maxlength={64}
          value={name()}
          error={tried() && name().trim() === '' ? text().fresh.nameWrong : field() === 'name' ? error() : undefined}
          onInput={setName}
        />
        <TextField label={text().fresh.topic} hint={text().fresh.topicHint} autocomplete="off" maxlength={250} value={topic()} error={field() === 'topic' ? error() : undefined} onInput={setTopic} />
        <Switch label={text().fresh.private} hint={text().fresh.privateHint} checked={hidden()} onChange={setHidden} />
        <Refused error={field() === 'name' || field() === 'topic' ? undefined : error()} />
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
