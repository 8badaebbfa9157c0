import { createEffect, createMemo, createSignal, on, Show, untrack } from 'solid-js'
import { EmojiButton } from '../emoji/Opener.tsx'
import { between, useModel } from '../model/context.ts'
import { Button, IconButton } from '../ui/Button.tsx'
import { Checkbox } from '../ui/Field.tsx'
import { matches } from '../ui/chord.ts'
import { Icon } from '../ui/Icon.tsx'
import { boldIcon, codeIcon, eyeIcon, faceSlightlySmilingPlusIcon, italicIcon, listIcon, pencilIcon, sendHorizontalIcon, textQuoteIcon } from '../ui/icons.ts'
import { Answers } from './Answers.tsx'
import { Body } from './Body.tsx'
import { fenced, wrapped } from './complete.ts'
import { useCompleting } from './completing.ts'
import { replace } from './replace.ts'
import { useRights } from './rights.ts'
import type { Room } from './room.ts'
import { text } from './text.ts'
import './channel.css'

/** mostBytes is how long a message may be, as the service takes it. */
const mostBytes = 16 * 1024
/** mostKept is how much of what is written is kept, in characters: some messages, to be parted here. What would make it more isn't taken over. */
const mostKept = 64 * 1024

export interface ComposerProps {
  readonly room: Room
  readonly label: string
  /** The last message of one's own is to be edited: ArrowUp in an empty composer. */
  readonly onEditLast: () => void
  /** A message was sent from here. */
  readonly onSend?: () => void
}

/** Composer is where one writes: Enter sends, Shift+Enter begins a line, and so does Enter within a block of code, where Ctrl+Enter sends. What stands in it is the room's draft, and survives everything. */
export function Composer(props: ComposerProps) {
  const model = useModel()
  const channel = () => model.channel(props.room.channel)
  const rights = useRights(channel)
  const [preview, setPreview] = createSignal(false)
  const [also, setAlso] = createSignal(false)
  const [notTaken, setNotTaken] = createSignal(false)
  let area!: HTMLTextAreaElement
  let shown: HTMLDivElement | undefined

  const draft = () => props.room.draft
  const words = () => draft().text()
  const tooLong = createMemo(() => words().length > mostBytes / 4 && new TextEncoder().encode(words()).length > mostBytes)
  /** What is sent now may call all; in a thread nobody but its followers is told. */
  const callsAll = () => (props.room.root === 0 || also()) && (rights()?.mentionAll ?? false)
  const called = () => ({ everybody: callsAll() })
  const offersAll = () => callsAll() && channel()?.kind !== 'direct' // to two of them it says nothing
  const completing = useCompleting({ field: () => area, words, put: (now, cursor) => put(now, cursor), all: offersAll })
  createEffect(
    on(words, (now) => {
      if (area.value !== now) area.value = now
    }),
  )

  const put = (now: string, from: number, to = from) => {
    replace(area, now)
    area.setSelectionRange(from, to)
    completing.changes()
    draft().write(now)
  }
  const insert = (sign: string) => {
    const { selectionStart: from, selectionEnd: to, value } = area
    put(value.slice(0, from) + sign + value.slice(to), from + sign.length)
    area.focus()
  }
  const send = () => {
    const now = area.value.trim()
    if (now === '' || tooLong()) return
    props.room.send(now, { alsoInChannel: also() })
    props.onSend?.()
    area.value = '' // nothing to undo: it is sent
    draft().write('')
    completing.changes()
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

  /** What is pasted or dropped may be of any size; a whole file would hold the page up with each letter, and whenever it is loaded. */
  const onBeforeInput = (event: InputEvent) => {
    const more = (event.data ?? event.dataTransfer?.getData('text/plain') ?? '').length
    const tooMuch = more > 1 && area.value.length - (area.selectionEnd - area.selectionStart) + more > mostKept
    if (tooMuch) event.preventDefault()
    setNotTaken(tooMuch)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return
    if (completing.key(event)) return
    const mod = event.ctrlKey || event.metaKey
    if (event.key === 'Enter' && !event.shiftKey && (mod || !fenced(area.value, area.selectionStart))) {
      send()
    } else if (event.key === 'ArrowUp' && area.value === '' && !event.altKey && !event.shiftKey && !mod) {
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
            <Body text={theirs()} called={called()} />
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
      <Answers of={completing} beside={() => area} between={between(channel())} />
      <div class="composer-box">
        <Show when={preview()}>
          <div ref={shown} class="composer-preview" role="region" aria-label={text().preview} tabIndex={0}>
            <Body text={words()} called={called()} whole />
          </div>
        </Show>
        <textarea
          ref={(element) => {
            area = element
            area.value = untrack(words) // before it is in the document, where that would lay out the page
          }}
          class="composer-text"
          data-types
          classList={{ 'composer-hidden': preview() }}
          rows={1}
          aria-label={props.label}
          placeholder={props.label}
          aria-autocomplete="list"
          {...completing.says()}
          aria-invalid={tooLong()}
          onBeforeInput={onBeforeInput}
          onInput={(event) => {
            completing.changes()
            draft().write(event.currentTarget.value)
            completing.spell()
            if (event.currentTarget.value !== '') props.room.types()
          }}
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
          <EmojiButton class="icon-button" label={text().emoji} side="above" onPick={insert}>
            <Icon path={faceSlightlySmilingPlusIcon} />
          </EmojiButton>
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
      <Show when={notTaken() || tooLong()}>
        <p class="composer-error" role="alert">
          {notTaken() ? text().notTaken : text().tooLong}
        </p>
      </Show>
    </form>
  )
}
