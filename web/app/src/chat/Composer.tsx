import { createEffect, createMemo, createSignal, createUniqueId, For, on, onMount, Show } from 'solid-js'
import { useModel } from '../model/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Checkbox } from '../ui/Field.tsx'
import { matches } from '../ui/chord.ts'
import { boldIcon, codeIcon, eyeIcon, italicIcon, listIcon, pencilIcon, sendHorizontalIcon, textQuoteIcon } from '../ui/icons.ts'
import { Body } from './Body.tsx'
import { asked, completed, wrapped } from './complete.ts'
import type { Room } from './room.ts'
import { text } from './text.ts'
import './channel.css'

/** mostBytes is how long a message may be, as the service takes it. */
const mostBytes = 16 * 1024
const mostShown = 8

export interface ComposerProps {
  readonly room: Room
  readonly label: string
  /** The last message of one's own is to be edited: ArrowUp in an empty composer. */
  readonly onEditLast: () => void
}

/** Composer is where one writes: Enter sends, Shift+Enter begins a line. What stands in it is the room's draft, and survives everything. */
export function Composer(props: ComposerProps) {
  const model = useModel()
  const id = createUniqueId()
  const [cursor, setCursor] = createSignal(0)
  const [chosen, setChosen] = createSignal(0)
  const [preview, setPreview] = createSignal(false)
  const [also, setAlso] = createSignal(false)
  const [dismissed, setDismissed] = createSignal(-1)
  let area!: HTMLTextAreaElement
  let shown: HTMLDivElement | undefined

  const draft = () => props.room.draft
  const words = () => draft().text()
  const tooLong = createMemo(() => words().length > mostBytes / 4 && new TextEncoder().encode(words()).length > mostBytes)
  const question = createMemo(() => {
    const found = asked(words(), cursor())
    return found && found.from !== dismissed() ? found : undefined
  })
  const answers = createMemo(() => {
    const q = question()
    if (q?.sign !== '@') return []
    const word = q.word.toLowerCase()
    const found = model.people().filter((p) => !p.deactivated && (p.handle.startsWith(word) || p.name.toLowerCase().split(' ').some((part) => part.startsWith(word))))
    return found.slice(0, mostShown)
  })
  createEffect(on(question, () => setChosen(0)))
  createEffect(
    on(words, (now) => {
      if (area.value !== now) area.value = now
    }),
  )
  onMount(() => {
    area.value = words()
  })

  const put = (now: string, from: number, to = from) => {
    area.value = now
    area.setSelectionRange(from, to)
    setCursor(to)
    draft().write(now)
  }
  const take = (handle: string) => {
    const q = question()
    if (!q) return
    const to = completed(area.value, q, `@${handle}`)
    put(to.text, to.cursor)
    area.focus()
  }
  const send = () => {
    const now = area.value.trim()
    if (now === '' || tooLong()) return
    props.room.send(now, { alsoInChannel: also() })
    put('', 0)
    setAlso(false)
    setPreview(false)
    area.focus()
  }
  const mark = (sign: string) => {
    const to = wrapped(area.value, area.selectionStart, area.selectionEnd, sign)
    put(to.text, to.from, to.to)
    area.focus()
  }

  const begin = (sign: string) => {
    const line = area.value.lastIndexOf('\n', area.selectionStart - 1) + 1
    put(area.value.slice(0, line) + sign + area.value.slice(line), area.selectionStart + sign.length)
    area.focus()
  }

  /** show turns to the preview and back: the text, and where the cursor stands in it, stay. */
  const show = (on: boolean) => {
    const { selectionStart: from, selectionEnd: to } = area
    setPreview(on)
    if (on) {
      shown?.focus()
      return
    }
    area.focus()
    area.setSelectionRange(from, to)
  }
  const onFormKey = (event: KeyboardEvent) => {
    if (matches(event, 'Alt+P') && words() !== '') show(!preview())
    else if (preview() && event.key === 'Escape') show(false)
    else return
    event.preventDefault()
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return
    const list = answers()
    const mod = event.ctrlKey || event.metaKey
    if (list.length > 0 && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      setChosen((n) => (n + (event.key === 'ArrowDown' ? 1 : -1) + list.length) % list.length)
    } else if (list.length > 0 && (event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey) {
      take(list[chosen()]?.handle ?? '')
    } else if (list.length > 0 && event.key === 'Escape') {
      setDismissed(question()?.from ?? -1)
      event.stopPropagation()
    } else if (event.key === 'Enter' && !event.shiftKey) {
      send()
    } else if (event.key === 'ArrowUp' && area.value === '') {
      props.onEditLast()
    } else if (mod && event.key.toLowerCase() === 'b') {
      mark('**')
    } else if (mod && event.key.toLowerCase() === 'i') {
      mark('_')
    } else if (mod && event.key.toLowerCase() === 'e') {
      mark('`')
    } else {
      return
    }
    event.preventDefault()
  }

  return (
    <form
      class="composer"
      onKeyDown={onFormKey}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <Show when={draft().theirs()}>
        {(theirs) => (
          <div class="composer-theirs" role="alert">
            <p>{text().theirs}</p>
            <Body text={theirs()} />
            <Button size="small" onClick={() => draft().resolve('mine')}>
              {text().mine}
            </Button>
            <Button size="small" onClick={() => draft().resolve('theirs')}>
              {text().takeTheirs}
            </Button>
            <Button size="small" onClick={() => draft().resolve('both')}>
              {text().both}
            </Button>
          </div>
        )}
      </Show>
      <Show when={answers().length > 0}>
        <ul class="composer-answers" role="listbox" id={`${id}-answers`} aria-label={text().people}>
          <For each={answers()}>
            {(person, n) => (
              <li id={`${id}-${n()}`} role="option" aria-selected={n() === chosen()} onPointerDown={(event) => event.preventDefault()} onClick={() => take(person.handle)}>
                <Avatar id={person.id} name={person.name} />
                <span>{person.name}</span>
                <span class="faint">@{person.handle}</span>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <div class="composer-box">
        <Show when={preview()}>
          <div ref={shown} class="composer-preview" role="region" aria-label={text().preview} tabIndex={0}>
            <Body text={words()} />
          </div>
        </Show>
        <textarea
          ref={area}
          class="composer-text"
          classList={{ 'composer-hidden': preview() }}
          rows={1}
          aria-label={props.label}
          placeholder={props.label}
          aria-autocomplete="list"
          aria-controls={answers().length > 0 ? `${id}-answers` : undefined}
          aria-activedescendant={answers().length > 0 ? `${id}-${chosen()}` : undefined}
          aria-invalid={tooLong()}
          onInput={(event) => {
            setCursor(event.currentTarget.selectionStart)
            draft().write(event.currentTarget.value)
            if (event.currentTarget.value !== '') props.room.types()
          }}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
          onKeyDown={onKeyDown}
        />
        <div class="composer-bar">
          <span class="composer-formats">
            <IconButton icon={boldIcon} label={text().format.bold} keys="Mod+B" onClick={() => mark('**')} />
            <IconButton icon={italicIcon} label={text().format.italic} keys="Mod+I" onClick={() => mark('_')} />
            <IconButton icon={codeIcon} label={text().format.code} keys="Mod+E" onClick={() => mark('`')} />
            <IconButton icon={listIcon} label={text().format.list} onClick={() => begin('- ')} />
            <IconButton icon={textQuoteIcon} label={text().format.quote} onClick={() => begin('> ')} />
          </span>
          <Show when={props.room.root !== 0}>
            <Checkbox label={text().alsoInChannel} checked={also()} onChange={setAlso} />
          </Show>
          <Show when={words() !== ''}>
            <IconButton icon={preview() ? pencilIcon : eyeIcon} label={preview() ? text().writing : text().preview} aria-pressed={preview()} keys="Alt+P" onClick={() => show(!preview())} />
          </Show>
          <button type="submit" class="composer-send" aria-label={text().send} data-tip={text().send} data-keys="Enter">
            <svg class="icon icon-mirrored" viewBox="0 0 24 24" aria-hidden="true">
              <path d={sendHorizontalIcon} />
            </svg>
          </button>
        </div>
      </div>
      <Show when={tooLong()}>
        <p class="composer-error" role="alert">
          {text().tooLong}
        </p>
      </Show>
    </form>
  )
}
