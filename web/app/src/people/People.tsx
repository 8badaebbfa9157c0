import { createMemo, createSignal, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { compare } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { may, useModel } from '../model/context.ts'
import type { Person } from '../model/model.ts'
import { useShell } from '../shell/context.ts'
import { rank } from '../shell/palette/find.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { TextField } from '../ui/Field.tsx'
import { squarePenIcon } from '../ui/icons.ts'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'
import './people.css'

const shown = 200 // at once; who looks for more types a letter

/** People is the workspace's directory. */
export default function People() {
  const model = useModel()
  const shell = useShell()
  const [words, setWords] = createSignal('')
  const found = createMemo((): readonly Person[] => {
    const people = model.people().filter((person) => person.role !== 'service')
    if (words().trim() === '') return [...people].sort((a, b) => Number(a.deactivated) - Number(b.deactivated) || compare(a.name, b.name)).slice(0, shown)
    const candidates = people.map((person) => ({ id: person.id, title: person.name, detail: `@${person.handle} ${person.title}`, run: () => undefined }))
    return rank(candidates, words(), shown).flatMap(({ candidate }) => model.person(candidate.id) ?? [])
  })
  const write = async (person: Person) => {
    try {
      shell.go(`/c/${await model.openDirect([person.id])}`)
    } catch (error) {
      toast(text().failed(person.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void write(person) } })
    }
  }
  return (
    <div class="page">
      <div class="page-inside">
        <header class="page-head">
          <h1 class="page-title">{text().title}</h1>
          <span class="faint numbers">{text().count(found().length)}</span>
        </header>
        <TextField label={text().search} type="search" autocomplete="off" value={words()} onInput={setWords} />
        <ul class="people-list">
          <For each={found()} fallback={<li><EmptyState title={text().nobody} words={text().nobodyWhy} /></li>}>
            {(person) => (
              <li class="person-row">
                <Avatar id={person.id} name={person.name} size="large" presence={model.presence(person.id)} />
                <span class="person-words">
                  <span class="clip">
                    <span class="strong">{person.name}</span> <span class="faint">@{person.handle}</span>
                  </span>
                  <span class="faint clip">
                    {[person.title, person.deactivated ? text().deactivated : `${model.presence(person.id).emoji} ${presenceWords(model.presence(person.id))}`.trim()]
                      .filter((part) => part !== '')
                      .join(' · ')}
                  </span>
                </span>
                <Show when={person.role !== 'member'}>
                  <span class="pill">{core().role[person.role]}</span>
                </Show>
                <Show when={!person.deactivated}>
                  <Button size="small" icon={squarePenIcon} onClick={() => void write(person)} aria-label={text().writeTo(person.name)}>
                    {text().write}
                  </Button>
                </Show>
              </li>
            )}
          </For>
        </ul>
        <Show when={model.people().length === 1 && words() === ''}>
          <EmptyState title={text().alone} words={text().aloneWhy}>
            <Show when={may(model, 'identity.invite')}>
              <a class="button button-primary" href="/admin/invitations">
                {text().invite}
              </a>
            </Show>
          </EmptyState>
        </Show>
      </div>
    </div>
  )
}
