import { createEffect, createMemo, createSignal, createUniqueId, For, on, onCleanup, Show } from 'solid-js'
import type { Candidate, SearchProvider, Shell } from '../../module.ts'
import { personName, useModel } from '../../model/context.ts'
import { Avatar } from '../../ui/Avatar.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { EmptyState } from '../../ui/Empty.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { searchIcon } from '../../ui/icons.ts'
import { Keys } from '../../ui/Kbd.tsx'
import { groups, type Group } from './find.ts'
import { providers } from './providers.ts'
import { text } from './text.ts'
import './palette.css'

/** Palette finds people, channels and commands, and what modules add. */
export default function Palette(props: { readonly shell: Shell; readonly words: string; readonly onClose: () => void }) {
  const model = useModel()
  const id = createUniqueId()
  const [words, setWords] = createSignal(props.words)
  const [chosen, setChosen] = createSignal<string>() // undefined: the first one
  let list!: HTMLDivElement

  const all = [...providers, ...props.shell.registry.search]
  // Each by itself: a message that comes while the palette is open doesn't make all people anew.
  const known = all.map((provider) => ({ provider, candidates: createMemo(() => provider.candidates?.(model, props.shell) ?? []) }))
  const here = createMemo(() => {
    const idle = words().trim() === ''
    const some = known.filter(({ provider }) => idle || !provider.idle).map(({ provider, candidates }) => ({ id: provider.id, title: provider.title(), candidates: candidates(), idle: provider.idle ?? false }))
    return groups(some, words())
  })

  // What is asked for elsewhere stands below, in the order in which it comes: nothing that is there moves.
  const [elsewhere, setElsewhere] = createSignal<readonly Group[]>([])
  createEffect(
    on(
      () => words().trim(),
      (wanted) => {
        const asked = new AbortController()
        onCleanup(() => asked.abort())
        if (wanted === '') setElsewhere([])
        else for (const provider of all) void ask(provider, wanted, asked.signal)
      },
    ),
  )
  const ask = async (provider: SearchProvider, wanted: string, signal: AbortSignal) => {
    if (!provider.search) return
    const answer = await provider.search(wanted, model, signal).catch(() => []) // what can't be had is not shown; what is here is
    if (signal.aborted) return
    const group: Group = { id: `${provider.id} more`, title: provider.title(), found: answer.map((candidate) => ({ candidate, at: candidate.at ?? [], score: 0 })) }
    // What the last letters have found stays until then, in its place.
    const others = elsewhere().some((one) => one.id === group.id) ? elsewhere().map((one) => (one.id === group.id ? group : one)) : [...elsewhere(), group]
    setElsewhere(others.filter((one) => one.found.length > 0))
  }
  const shown = createMemo(() => [...here(), ...elsewhere()])
  const options = createMemo(() => shown().flatMap((group) => group.found.map((found) => ({ key: `${group.id} ${found.candidate.id}`, found }))))
  const places = createMemo(() => new Map(options().map(({ found }, n) => [found, n])))
  // What is chosen stays so, whatever comes; what is gone leaves it to the first one.
  const at = createMemo(() => Math.max(0, options().findIndex(({ key }) => key === chosen())))
  createEffect(on(words, () => setChosen(undefined), { defer: true }))
  createEffect(() => {
    at()
    list.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
  })

  const run = (candidate: Candidate | undefined) => {
    if (!candidate) return
    props.onClose()
    // After the dialog has given the focus back: what is opened may take it.
    queueMicrotask(() => candidate.run(props.shell))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const count = options().length
    if (event.isComposing || count === 0) return
    if (event.key === 'ArrowDown') setChosen(options()[(at() + 1) % count]?.key)
    else if (event.key === 'ArrowUp') setChosen(options()[(at() - 1 + count) % count]?.key)
    else if (event.key === 'Enter') run(options()[at()]?.found.candidate)
    else return
    event.preventDefault()
  }

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
          aria-activedescendant={options().length > 0 ? `${id}-${at()}` : undefined}
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
                    id={`${id}-${places().get(found)}`}
                    aria-selected={at() === places().get(found)}
                    onPointerMove={() => setChosen(options()[places().get(found) ?? 0]?.key)}
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
        <Show when={options().length === 0}>
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
        {text().results(options().length)}
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
