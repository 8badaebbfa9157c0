import { createSignal, onMount } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { Button } from '../ui/Button.tsx'
import { text } from './text.ts'

/** Editor changes a message where it stands: Enter saves, Escape leaves it as it was. */
export function Editor(props: { readonly text: string; readonly onSave: (text: string) => void; readonly onCancel: () => void }) {
  const [now, setNow] = createSignal(props.text)
  let area!: HTMLTextAreaElement
  onMount(() => {
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  })
  const save = () => {
    const to = now().trim()
    if (to === '' || to === props.text) props.onCancel()
    else props.onSave(to)
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
            props.onCancel()
          } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault()
            save()
          }
        }}
      />
      <div class="editor-does">
        <Button size="small" kind="quiet" onClick={() => props.onCancel()}>
          {core().cancel}
        </Button>
        <Button size="small" kind="primary" onClick={save}>
          {text().save}
        </Button>
      </div>
    </div>
  )
}
