import { createSignal, onMount } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { Button } from '../ui/Button.tsx'
import { text } from './text.ts'

/** Editor changes a message where it stands: Enter saves, Escape leaves it as it was. */
export function Editor(props: { readonly text: string; readonly onSave: (text: string) => void; readonly onCancel: () => void }) {
  const [now, setNow] = createSignal(props.text)
  let area!: HTMLTextAreaElement
  let before: Element | null = null
  onMount(() => {
    before = document.activeElement
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  })
  /** leave gives the focus back: to the composer, or to the button, which is another one by then. */
  const leave = (done: () => void) => {
    const message = area.closest('article')
    done()
    const back = before?.isConnected ? before : message?.querySelector('[data-edits]')
    if (back instanceof HTMLElement) back.focus()
  }
  const save = () => {
    const to = now().trim()
    leave(() => (to === '' || to === props.text ? props.onCancel() : props.onSave(to)))
  }
  return (
    <div class="editor">
      <textarea
        ref={area}
        class="editor-text"
        aria-label={text().does.edit}
        value={now()}
        onInput={(event) => setNow(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.isComposing) return
          if (event.key === 'Escape') {
            event.stopPropagation()
            leave(props.onCancel)
          } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault()
            save()
          }
        }}
      />
      <div class="editor-does">
        <Button size="small" kind="quiet" onClick={() => leave(props.onCancel)}>
          {core().cancel}
        </Button>
        <Button size="small" kind="primary" onClick={save}>
          {text().save}
        </Button>
      </div>
    </div>
  )
}
