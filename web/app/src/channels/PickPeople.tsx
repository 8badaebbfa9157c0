import { createMemo, createSignal, For, Show } from 'solid-js'
import { compare } from '../i18n/format.ts'
import { account, nameApart, personName, useModel } from '../model/context.ts'
import type { Id } from '../model/model.ts'
import { rank } from '../shell/palette/find.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { IconButton } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { TextField } from '../ui/Field.tsx'
import { xIcon } from '../ui/icons.ts'
import { Refused } from '../ui/Refused.tsx'
import { text } from './text.ts'
import '../people/people.css'

const offered = 40 // at once; who looks for more types a letter

export interface PickPeopleProps {
  readonly label: string
  readonly chosen: readonly Id[]
  readonly onChange: (chosen: readonly Id[]) => void
  /** How many may be chosen, and what is said when they are. */
  readonly most: number
  readonly mostWords: string
  /** Who isn't offered. */
  readonly without?: (id: Id) => boolean
  readonly error: string | undefined
  /** Enter, where nothing is being looked for. */
  readonly onDone: () => void
}

/** PickPeople chooses people by name: Enter takes the first that is found. */
export function PickPeople(props: PickPeopleProps) {
  const model = useModel()
  const [words, setWords] = createSignal('')
  const found = createMemo(() => {
    const me = account(model)?.me
    const candidates = model
      .people()
      .filter((person) => !person.deactivated && person.id !== me && !props.chosen.includes(person.id) && !props.without?.(person.id))
      .sort((a, b) => compare(a.name, b.name))
      .map((person) => ({ id: person.id, title: person.name, detail: `@${person.handle}`, run: () => undefined }))
    return words().trim() === '' ? candidates.slice(0, offered) : rank(candidates, words(), offered).map(({ candidate }) => candidate)
  })
  const add = (id: Id | undefined) => {
    if (id === undefined || props.chosen.length >= props.most) return
    props.onChange([...props.chosen, id])
    setWords('')
  }
  return (
    <>
      <form
        novalidate
        onSubmit={(event) => {
          event.preventDefault()
          if (words() !== '' || props.chosen.length === 0) add(found()[0]?.id)
          else props.onDone()
        }}
      >
        <TextField
          autofocus
          label={props.label}
          placeholder={text().direct.placeholder}
          hint={props.chosen.length >= props.most ? props.mostWords : undefined}
          autocomplete="off"
          spellcheck={false}
          value={words()}
          onInput={setWords}
        />
      </form>
      <Show when={props.chosen.length > 0}>
        <ul class="chips">
          <For each={props.chosen}>
            {(id) => (
              <li class="chip">
                <Avatar id={id} name={personName(model.person(id), id)} />
                {nameApart(model, id)}
                <IconButton icon={xIcon} label={text().direct.remove(nameApart(model, id))} onClick={() => props.onChange(props.chosen.filter((other) => other !== id))} />
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Refused error={props.error} />
      <ul class="people-list people-pick">
        <For each={found()} fallback={<li><EmptyState title={text().direct.nobody} words={text().direct.nobodyWhy} /></li>}>
          {(candidate) => (
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
    </>
  )
}
