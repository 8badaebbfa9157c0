import { createSignal, onMount } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { Button } from '../ui/Button.tsx'
import { Answers } from './Answers.tsx'
import { useCompleting } from './completing.ts'
import type { Editing } from './editing.ts'
import { replace } from './replace.ts'
import { text } from './text.ts'

export interface EditorProps {
  readonly text: string
  readonly editing: Editing
  /** The conversation has no name. */
  readonly between: boolean
  readonly onSave: (text: string) => void
}

/** Editor changes a message where it stands: Enter saves, Escape leaves it as it was. */
export function Editor(props: EditorProps) {
  const before = props.editing.text()
  const [now, setNow] = createSignal(before ?? props.text)
  let area!: HTMLTextAreaElement
  let from: Element | null = null
  const write = (words: string) => {
    setNow(words)
    props.editing.type(words)
  }
  const completing = useCompleting({
    field: () => area,
    words: now,
    put: (words, cursor) => {
      replace(area, words)
      area.setSelectionRange(cursor, cursor)
      write(words)
    },
    all: () => false, // an edit calls nobody
  })
  onMount(() => {
    from = document.activeElement
    if (before !== undefined && from !== document.body) return // it has come into sight again, and somebody is busy elsewhere
    area.focus({ preventScroll: before !== undefined })
    area.setSelectionRange(area.value.length, area.value.length)
  })
  /** leave gives the focus back: to the composer, or to the button, which is another one by then. */
  const leave = (done: () => void) => {
    const message = area.closest('article')
    done()
    const back = from !== document.body && from?.isConnected ? from : message?.querySelector('[data-edits]')
    if (back instanceof HTMLElement) back.focus()
  }
  const save = () => {
    const to = now().trim()
    leave(() => {
      props.editing.end()
      if (to !== '' && to !== props.text) props.onSave(to)
    })
  }
  return (
    <div class="editor">
      <Answers of={completing} beside={() => area} between={props.between} />
      <textarea
        ref={area}
        class="editor-text"
        aria-label={text().does.edit}
        aria-autocomplete="list"
        {...completing.says()}
        value={now()}
        onInput={(event) => {
          completing.changes()
          write(event.currentTarget.value)
          completing.spell()
        }}
        onKeyDown={(event) => {
          if (event.isComposing || completing.key(event)) return
          if (event.key === 'Escape') {
            event.stopPropagation()
            leave(() => props.editing.end())
          } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault()
            save()
          }
        }}
      />
      <div class="editor-does">
        <Button size="small" kind="quiet" onClick={() => leave(() => props.editing.end())}>
          {core().cancel}
        </Button>
        <Button size="small" kind="primary" onClick={save}>
          {text().save}
        </Button>
      </div>
    </div>
  )
}
