import { createMemo, createSignal, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { account, personName, useModel } from '../model/context.ts'
import { rank } from '../shell/palette/find.ts'
import { useShell } from '../shell/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { TextField } from '../ui/Field.tsx'
import { xIcon } from '../ui/icons.ts'
import { Refused } from '../ui/Refused.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'
import '../people/people.css'

const others = 9 // in a group, besides oneself: the chat service's limit

/** NewDirect chooses who is written to. */
export default function NewDirect(props: { readonly onClose: () => void }) {
  const model = useModel()
  const shell = useShell()
  const [words, setWords] = createSignal('')
  const [chosen, setChosen] = createSignal<readonly string[]>([])
  const found = createMemo(() => {
    const me = account(model)?.me
    const candidates = model
      .people()
      .filter((person) => !person.deactivated && person.id !== me && !chosen().includes(person.id))
      .map((person) => ({ id: person.id, title: person.name, detail: `@${person.handle}`, run: () => undefined }))
    return rank(candidates, words(), 40)
  })
  const add = (id: string | undefined) => {
    if (id === undefined || chosen().length >= others) return
    setChosen([...chosen(), id])
    setWords('')
  }
  const { busy, error, submit } = submission(async () => {
    if (words() !== '' || chosen().length === 0) {
      add(found()[0]?.candidate.id)
      return
    }
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
      <form novalidate onSubmit={submit}>
        <TextField
          autofocus
          label={text().direct.to}
          placeholder={text().direct.placeholder}
          hint={chosen().length >= others ? text().direct.most : undefined}
          autocomplete="off"
          spellcheck={false}
          value={words()}
          onInput={setWords}
        />
      </form>
      <Show when={chosen().length > 0}>
        <ul class="chips">
          <For each={chosen()}>
            {(id) => (
              <li class="chip">
                <Avatar id={id} name={personName(model.person(id), id)} />
                {personName(model.person(id), id)}
                <IconButton icon={xIcon} label={text().direct.remove(personName(model.person(id), id))} onClick={() => setChosen(chosen().filter((other) => other !== id))} />
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Refused error={error()} />
      <ul class="people-list people-pick">
        <For each={found()} fallback={<EmptyState title={text().direct.nobody} words={text().direct.nobodyWhy} />}>
          {({ candidate }) => (
            <li>
              <button type="button" class="person-row" onClick={() => add(candidate.id)}>
                <Avatar id={candidate.id} name={candidate.title} presence={model.presence(candidate.id)} />
                <span class="strong">{candidate.title}</span>
                <span class="faint clip">{candidate.detail}</span>
              </button>
            </li>
          )}
        </For>
      </ul>
    </Dialog>
  )
}
