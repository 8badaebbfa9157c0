import { createMemo, createSignal, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { compare } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { account, may, useModel } from '../model/context.ts'
import type { Person, Role } from '../model/model.ts'
import { rank } from '../shell/palette/find.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Confirm } from '../ui/Confirm.tsx'
import { copy } from '../ui/copy.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { Choose } from '../ui/Choose.tsx'
import { TextField } from '../ui/Field.tsx'
import { copyIcon, ellipsisIcon } from '../ui/icons.ts'
import { Menu } from '../ui/Menu.tsx'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'
import '../people/people.css'

const shown = 200 // at once

export default function AdminPeople() {
  const model = useModel()
  const [words, setWords] = createSignal('')
  const [asked, setAsked] = createSignal<Person>() // who is to be deactivated
  const found = createMemo((): readonly Person[] => {
    const people = model.people().filter((person) => person.role !== 'service')
    if (words().trim() === '') return [...people].sort((a, b) => compare(a.name, b.name)).slice(0, shown)
    return rank(
      people.map((person) => ({ id: person.id, title: person.name, detail: `@${person.handle}`, run: () => undefined })),
      words(),
      shown,
    ).flatMap(({ candidate }) => model.person(candidate.id) ?? [])
  })
  const [link, setLink] = createSignal<{ readonly person: Person; readonly made: string }>()
  const change = async (person: Person, make: () => Promise<void>) => {
    try {
      await make()
      toast(text().people.changed(person.name))
    } catch (error) {
      toast(text().people.unchanged(person.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void change(person, make) } })
    }
  }
  const reset = async (person: Person) => {
    try {
      setLink({ person, made: await model.administration.resetPassword(person.id) })
    } catch (error) {
      toast(text().people.noReset(person.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void reset(person) } })
    }
  }
  const setActive = (person: Person, active: boolean) => void change(person, () => model.administration.setActive(person.id, active))
  const roles = (person: Person): readonly (readonly [Role, string])[] =>
    (['owner', 'admin', 'member', 'guest'] as const).filter((role) => may(model, 'identity.own') || role === person.role || role !== 'owner').map((role) => [role, core().role[role]])
  const fixed = (person: Person) => person.id === account(model)?.me || (person.role === 'owner' && !may(model, 'identity.own'))

  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.people}</h2>
        <p class="soft">{text().people.lead}</p>
      </header>
      <TextField label={text().people.search} type="search" autocomplete="off" value={words()} onInput={setWords} />
      <ul class="people-list">
        <For each={found()} fallback={<li><EmptyState title={text().people.nobody} words={text().people.nobodyWhy} /></li>}>
          {(person) => (
            <li class="person-row">
              <Avatar id={person.id} name={person.name} size="large" />
              <span class="person-words">
                <span class="strong clip">{person.name}</span>
                <span class="faint clip">
                  @{person.handle}
                  {person.deactivated && ` · ${text().people.deactivated}`}
                </span>
              </span>
              <Show when={!fixed(person)} fallback={<span class="pill">{core().role[person.role]}</span>}>
                <Choose
                  label={text().people.role(person.name)}
                  value={person.role}
                  options={roles(person)}
                  onChange={(role) => void change(person, () => model.administration.setRole(person.id, role))}
                />
                <Menu
                  label={text().people.actions(person.name)}
                  align="end"
                  items={[
                    {
                      label: text().people.reset,
                      run: () => void reset(person),
                    },
                    'line',
                    {
                      label: person.deactivated ? text().people.reactivate : text().people.deactivate,
                      danger: !person.deactivated,
                      run: () => {
                        if (person.deactivated) setActive(person, true)
                        else setAsked(person)
                      },
                    },
                  ]}
                  button={(properties) => <IconButton icon={ellipsisIcon} label={text().people.actions(person.name)} {...properties} />}
                />
              </Show>
            </li>
          )}
        </For>
      </ul>
      <Show when={link()}>
        {(link) => (
          <Dialog
            title={text().people.resetTitle(link().person.name)}
            onClose={() => setLink(undefined)}
            foot={
              <>
                <Button onClick={() => setLink(undefined)}>{core().close}</Button>
                <Button autofocus kind="primary" icon={copyIcon} onClick={() => void copy(link().made)}>
                  {text().invitations.copy}
                </Button>
              </>
            }
          >
            <p>{text().people.resetLead}</p>
            <p class="link-made">{link().made}</p>
          </Dialog>
        )}
      </Show>
      <Show when={asked()}>
        {(person) => (
          <Confirm
            title={text().people.deactivateTitle(person().name)}
            words={text().people.deactivateWhy}
            label={text().people.deactivate}
            onDo={() => {
              setActive(person(), false)
              setAsked()
            }}
            onClose={() => setAsked()}
          />
        )}
      </Show>
    </section>
  )
}
