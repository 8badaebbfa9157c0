import { createEffect, createMemo, createResource, createSignal, createUniqueId, For, on, Show } from 'solid-js'
import type { Candidate, Shell } from '../../module.ts'
import { personName, useModel } from '../../model/context.ts'
import { Avatar } from '../../ui/Avatar.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { EmptyState } from '../../ui/Empty.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { searchIcon } from '../../ui/icons.ts'
import { Keys } from '../../ui/Kbd.tsx'
import { groups, type Found, type Group } from './find.ts'
import { providers } from './providers.ts'
import { text } from './text.ts'
import './palette.css'

/** Palette finds people, channels and commands, and what modules add. */
export default function Palette(props: { readonly shell: Shell; readonly words: string; readonly onClose: () => void }) {
  const model = useModel()
  const id = createUniqueId()
  const [words, setWords] = createSignal(props.words)
  const [chosen, setChosen] = createSignal(0)
  let list!: HTMLDivElement

  const all = [...providers, ...props.shell.registry.search]
  const known = createMemo(() => all.map((provider) => ({ id: provider.id, title: provider.title(), candidates: provider.candidates?.(model, props.shell) ?? [] })))

  // What is asked for elsewhere comes when it comes, below.
  let asked = new AbortController()
  const [elsewhere] = createResource(
    () => words().trim(),
    async (wanted): Promise<readonly Group[]> => {
      asked.abort()
      asked = new AbortController()
      const signal = asked.signal
      if (wanted === '') return []
      const answers = await Promise.all(
        all.map(async (provider): Promise<Group> => {
          const found = await provider.search?.(wanted, model, signal).catch(() => [])
          return { id: `${provider.id} more`, title: provider.title(), found: (found ?? []).map((candidate) => ({ candidate, at: [], score: 0 })) }
        }),
      )
      return answers.filter((group) => group.found.length > 0)
    },
    { initialValue: [] },
  )
  const shown = createMemo(() => [...groups(known(), words()), ...elsewhere.latest])
  const flat = createMemo(() => shown().flatMap((group) => group.found))
  createEffect(on(words, () => setChosen(0), { defer: true }))
  createEffect(() => {
    chosen()
    list.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
  })

  const run = (candidate: Candidate | undefined) => {
    if (!candidate) return
    props.onClose()
    // After the dialog has given the focus back: what is opened may take it.
    queueMicrotask(() => candidate.run(props.shell))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const count = flat().length
    if (event.isComposing || count === 0) return
    if (event.key === 'ArrowDown') setChosen((chosen() + 1) % count)
    else if (event.key === 'ArrowUp') setChosen((chosen() - 1 + count) % count)
    else if (event.key === 'Enter') run(flat()[chosen()]?.candidate)
    else return
    event.preventDefault()
  }
  const option = (found: Found) => `${id}-${flat().indexOf(found)}`

  return (
    <Dialog title={text().title} name="palette" bare wide onClose={props.onClose}>
      <div class="palette-field">
        <Icon path={searchIcon} />
        <input
          type="text"
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-label={text().title}
          aria-controls={`${id}-list`}
          aria-activedescendant={flat().length > 0 ? `${id}-${chosen()}` : undefined}
          placeholder={text().placeholder}
          spellcheck={false}
          autocomplete="off"
          value={words()}
          onInput={(event) => setWords(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <Keys chord="Escape" />
      </div>
      <div class="palette-list" ref={list} id={`${id}-list`} role="listbox" aria-label={text().title} tabIndex={-1}>
        <For each={shown()}>
          {(group) => (
            <div role="group" aria-labelledby={`${id}-${group.id}`}>
              <div class="palette-group" id={`${id}-${group.id}`}>
                {group.title}
              </div>
              <For each={group.found}>
                {(found) => (
                  <div
                    class="palette-option"
                    role="option"
                    id={option(found)}
                    aria-selected={flat()[chosen()] === found}
                    onPointerMove={() => setChosen(flat().indexOf(found))}
                    onClick={() => run(found.candidate)}
                  >
                    <Show when={found.candidate.person} fallback={<Icon path={found.candidate.icon ?? searchIcon} />}>
                      {(person) => <Avatar id={person()} name={personName(model.person(person()), person())} presence={model.presence(person())} />}
                    </Show>
                    <span class="palette-title clip">
                      <Marked words={found.candidate.title} at={found.at} />
                    </span>
                    <Show when={group.id !== 'commands' && found.candidate.detail}>
                      <span class="palette-detail clip">{found.candidate.detail}</span>
                    </Show>
                    <Show when={found.candidate.keys}>{(keys) => <Keys chord={keys()} />}</Show>
                  </div>
                )}
              </For>
            </div>
          )}
        </For>
        <Show when={flat().length === 0}>
          <EmptyState title={text().nothing(words().trim())} words={text().nothingWhy} />
        </Show>
      </div>
      <div class="palette-foot" aria-hidden="true">
        <span>
          <Keys chord="ArrowUp" /> <Keys chord="ArrowDown" /> {text().choose}
        </span>
        <span>
          <Keys chord="Enter" /> {text().run}
        </span>
        <span>
          <Keys chord="Escape" /> {text().leave}
        </span>
      </div>
      <p class="unseen" role="status">
        {text().results(flat().length)}
      </p>
    </Dialog>
  )
}

/** Marked is a text with the letters that matched marked. */
function Marked(props: { readonly words: string; readonly at: readonly number[] }) {
  const parts = () => {
    const marked = new Set(props.at)
    const made: { text: string; marked: boolean }[] = []
    for (let i = 0; i < props.words.length; i++) {
      const last = made.at(-1)
      const is = marked.has(i)
      if (last?.marked === is) last.text += props.words.charAt(i)
      else made.push({ text: props.words.charAt(i), marked: is })
    }
    return made
  }
  return <For each={parts()}>{(part) => (part.marked ? <b>{part.text}</b> : part.text)}</For>
}
