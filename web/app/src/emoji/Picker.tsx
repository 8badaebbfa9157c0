import { createMemo, createResource, createSelector, createSignal, createUniqueId, For, onMount, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { Button, IconButton } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { clockIcon, searchIcon, xIcon } from '../ui/icons.ts'
import { groupNames, loadEmoji, toned, type Emoji, type Group, type Tone } from './emoji.ts'
import { find, step } from './find.ts'
import { preferTone, recent, tone, used } from './recent.ts'
import { text } from './text.ts'
import './picker.css'

/** As in picker.css. */
const columns = 8
const mostFound = 96

/** What stands for a group. */
const faces: Readonly<Record<Group, string>> = { smileys: '😀', people: '👋', nature: '🐻', food: '🍎', travel: '🚀', activities: '⚽', objects: '💡', symbols: '🔣', flags: '🏁' }
const tones: readonly Tone[] = [0, 1, 2, 3, 4, 5]
const hand = ['✋', '✋🏻', '✋🏼', '✋🏽', '✋🏾', '✋🏿'] as const

/** Cell is one place of the grid: `sign` is what is picked there. */
interface Cell {
  readonly emoji: Emoji
  readonly sign: string
}
interface Section {
  readonly key: string
  readonly title: string
  readonly cells: readonly Cell[]
}

const arrows: Readonly<Record<string, Parameters<typeof step>[2]>> = { ArrowDown: 'down', ArrowUp: 'up', ArrowRight: 'next', ArrowLeft: 'before' }

/** Picker is where one looks for an emoji. The focus stays in the search; arrows go through the grid, Enter picks. */
export default function Picker(props: { readonly onPick: (sign: string) => void; readonly onReady: () => void }) {
  const id = createUniqueId()
  const [all, { refetch }] = createResource(loadEmoji)
  const [words, setWords] = createSignal('')
  const [at, setAt] = createSignal(-1)
  const [choosing, setChoosing] = createSignal(false)
  let grid: HTMLDivElement | undefined
  let search!: HTMLInputElement
  const isActive = createSelector(at)

  /** Those that were there as it was opened: what is picked changes them, and the grid stays as it is. */
  const last = recent()
  const sections = createMemo((): readonly Section[] => {
    const known = all.error === undefined ? all() : undefined
    if (known === undefined) return []
    const cell = (emoji: Emoji): Cell => ({ emoji, sign: toned(emoji, tone()) })
    if (words().trim() !== '') {
      const cells = find(known, words(), mostFound).map(cell)
      return cells.length === 0 ? [] : [{ key: 'found', title: text().found(cells.length), cells }]
    }
    const bySign = new Map(known.flatMap((emoji) => [emoji.sign, ...(emoji.toned ?? [])].map((sign) => [sign, emoji] as const)))
    const before = last.flatMap((sign) => {
      const emoji = bySign.get(sign)
      return emoji ? [{ emoji, sign }] : []
    })
    return [
      ...(before.length > 0 ? [{ key: 'recent', title: text().recent, cells: before }] : []),
      ...groupNames.map((group) => ({ key: group, title: text().group[group], cells: known.filter((emoji) => emoji.group === group).map(cell) })),
    ]
  })
  const cells = createMemo(() => sections().flatMap((section) => section.cells))
  const starts = createMemo(() => {
    let sum = 0
    return new Map(sections().map((section) => [section.key, (sum += section.cells.length) - section.cells.length]))
  })
  const active = () => cells()[at()]

  const show = (n: number) => {
    setAt(n)
    document.getElementById(`${id}-${n}`)?.scrollIntoView({ block: 'nearest' })
  }
  const pick = (cell: Cell | undefined) => {
    if (cell === undefined) return
    used(cell.sign)
    props.onPick(cell.sign)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return
    const arrow = arrows[event.key]
    // Left and right are the text's, as long as one types.
    const along = arrow === 'next' || arrow === 'before'
    if (arrow !== undefined && !(along && (at() < 0 || (words() !== '' && !(search.selectionStart === words().length && arrow === 'next') && at() <= 0)))) {
      const turned = document.documentElement.dir === 'rtl' && along ? (arrow === 'next' ? 'before' : 'next') : arrow
      show(step(sections().map((section) => section.cells.length), at(), turned, columns))
    } else if (event.key === 'Enter') {
      pick(active())
    } else {
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }
  const cellOf = (event: Event): number => {
    const cell = event.target instanceof Element ? event.target.closest<HTMLElement>('.emoji-cell') : null
    return cell ? Number(cell.id.slice(cell.id.lastIndexOf('-') + 1)) : -1
  }

  onMount(() => {
    search.focus()
    props.onReady()
  })

  return (
    <>
      <div class="emoji-head">
        <Icon path={searchIcon} small />
        <input
          ref={search}
          class="emoji-search"
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-autocomplete="list"
          aria-controls={`${id}-list`}
          aria-activedescendant={active() ? `${id}-${at()}` : undefined}
          aria-label={text().search}
          placeholder={text().search}
          autocomplete="off"
          spellcheck={false}
          maxlength={40}
          value={words()}
          onInput={(event) => {
            setWords(event.currentTarget.value)
            setAt(event.currentTarget.value.trim() === '' ? -1 : 0)
            if (grid) grid.scrollTop = 0
          }}
          onKeyDown={onKeyDown}
        />
        <Show when={words() !== ''}>
          <IconButton
            icon={xIcon}
            label={core().close}
            onClick={() => {
              setWords('')
              setAt(-1)
              search.focus()
            }}
          />
        </Show>
      </div>
      <Show when={words().trim() === '' && sections().length > 0}>
        <div class="emoji-groups" role="toolbar" aria-label={text().groups}>
          <For each={sections()}>
            {(section) => (
              <button
                type="button"
                class="emoji-group"
                aria-label={section.title}
                data-tip={section.title}
                onClick={() => {
                  document.getElementById(`${id}-${section.key}`)?.scrollIntoView({ block: 'start' })
                  setAt(starts().get(section.key) ?? -1)
                  search.focus()
                }}
              >
                <Show when={section.key !== 'recent'} fallback={<Icon path={clockIcon} small />}>
                  <span aria-hidden="true">{faces[section.key as Group]}</span>
                </Show>
              </button>
            )}
          </For>
        </div>
      </Show>
      <Show
        when={all.error === undefined}
        fallback={
          <EmptyState title={text().failed} words={text().failedWhy}>
            <Button onClick={() => void refetch()}>{core().retry}</Button>
          </EmptyState>
        }
      >
        <Show when={all()} fallback={<Skeleton rows={4} />}>
          <div
            ref={grid}
            class="emoji-list"
            id={`${id}-list`}
            role="listbox"
            aria-label={text().list}
            onPointerDown={(event) => event.preventDefault()}
            onPointerOver={(event) => {
              const n = cellOf(event)
              if (n >= 0) setAt(n)
            }}
            onClick={(event) => pick(cells()[cellOf(event)])}
          >
            <For each={sections()}>
              {(section) => (
                <div
                  class="emoji-section"
                  id={`${id}-${section.key}`}
                  role="group"
                  aria-label={section.title}
                  ref={(element) => element.style.setProperty('--rows', String(Math.ceil(section.cells.length / columns)))}
                >
                  <div class="emoji-title" aria-hidden="true">
                    {section.title}
                  </div>
                  <div class="emoji-grid" role="presentation">
                    <For each={section.cells}>
                      {(cell, n) => {
                        const index = () => (starts().get(section.key) ?? 0) + n()
                        return (
                          <div class="emoji-cell" id={`${id}-${index()}`} role="option" aria-label={cell.emoji.name} aria-selected={isActive(index())}>
                            {cell.sign}
                          </div>
                        )
                      }}
                    </For>
                  </div>
                </div>
              )}
            </For>
          </div>
          <Show when={sections().length === 0}>
            <div class="emoji-none" role="status">
              <p class="strong">{text().none(words().trim())}</p>
              <p class="soft">{text().noneWhy}</p>
            </div>
          </Show>
        </Show>
      </Show>
      <div class="emoji-foot">
        <Show
          when={!choosing()}
          fallback={
            <div class="emoji-tones" role="group" aria-label={text().skin}>
              <For each={tones}>
                {(one) => (
                  <button
                    type="button"
                    class="emoji-group"
                    aria-label={text().tone[one]}
                    aria-pressed={tone() === one}
                    data-tip={text().tone[one]}
                    onClick={() => {
                      preferTone(one)
                      setChoosing(false)
                      search.focus()
                    }}
                  >
                    <span aria-hidden="true">{hand[one]}</span>
                  </button>
                )}
              </For>
            </div>
          }
        >
          <Show when={active()} fallback={<span class="emoji-hint clip">{text().hint}</span>}>
            {(cell) => (
              <>
                <span class="emoji-shown" aria-hidden="true">
                  {cell().sign}
                </span>
                <span class="emoji-words">
                  <span class="strong clip">{cell().emoji.name}</span>
                  <span class="faint clip">{`:${cell().emoji.codes[0]}:`}</span>
                </span>
              </>
            )}
          </Show>
          <button type="button" class="emoji-group" aria-label={text().skin} data-tip={text().skin} aria-expanded="false" onClick={() => setChoosing(true)}>
            <span aria-hidden="true">{hand[tone()]}</span>
          </button>
        </Show>
      </div>
    </>
  )
}
