import { createSignal, createUniqueId, Show } from 'solid-js'
import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { circleAlertIcon, pencilIcon } from '../../ui/icons.ts'
import { text } from './text.ts'

export interface EditableProps {
  readonly label: string
  readonly value: string
  /** What is shown where there is nothing. */
  readonly empty: string
  /** Whether it may be changed. */
  readonly may: boolean
  /** Stands before it: "#". */
  readonly before?: string
  /** Bytes of UTF-8 that the service takes; the field stops at so many characters. */
  readonly most: number
  readonly lines?: boolean
  /** '' is no value. */
  readonly needed?: boolean
  readonly save: (value: string) => Promise<void>
}

/** Editable shows a text that is changed where it stands. What was saved is shown at once; where it is refused, the field comes back with what was typed, and why. */
export function Editable(props: EditableProps) {
  const id = createUniqueId()
  const [typed, setTyped] = createSignal<string>()
  const [error, setError] = createSignal<string>()
  let row!: HTMLDivElement
  const close = () => {
    setTyped(undefined)
    setError(undefined)
    row.querySelector<HTMLElement>('.icon-button')?.focus()
  }
  const save = async () => {
    const to = (typed() ?? '').trim()
    if (to === '' && props.needed) return
    close()
    if (to === props.value) return
    try {
      await props.save(to)
    } catch (refused) {
      setTyped(to)
      setError(text().notSaved(explain(refused)))
    }
  }
  const field = {
    id,
    class: 'editable-field',
    maxlength: props.most,
    get value() {
      return typed() ?? ''
    },
    get 'aria-invalid'() {
      return error() !== undefined
    },
    get 'aria-describedby'() {
      return error() === undefined ? undefined : `${id}-note`
    },
    onInput: (event: InputEvent & { readonly currentTarget: HTMLInputElement | HTMLTextAreaElement }) => {
      setTyped(event.currentTarget.value)
      setError(undefined)
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.isComposing) return
      if (event.key === 'Escape') close()
      else if (event.key === 'Enter' && !event.shiftKey) void save()
      else return
      event.preventDefault() // the pane stays
    },
    ref: (element: HTMLElement) => queueMicrotask(() => element.focus()),
  }
  return (
    <div ref={row} class="editable">
      <Show when={typed() === undefined} fallback={<label class="details-label" for={id}>{props.label}</label>}>
        <span class="details-label">{props.label}</span>
      </Show>
      <Show
        when={typed() !== undefined}
        fallback={
          <div class="editable-shown">
            <p class="editable-words" classList={{ faint: props.value === '' }} dir="auto">
              {props.value === '' ? props.empty : `${props.before ?? ''}${props.value}`}
            </p>
            <Show when={props.may}>
              <IconButton icon={pencilIcon} label={text().edit(props.label)} onClick={() => setTyped(props.value)} />
            </Show>
          </div>
        }
      >
        <Show when={props.lines} fallback={<input type="text" autocomplete="off" {...field} />}>
          <textarea rows={3} {...field} />
        </Show>
        <Show when={error()}>
          <p class="field-error" id={`${id}-note`} role="alert">
            <Icon path={circleAlertIcon} small />
            {error()}
          </p>
        </Show>
        <div class="editable-does">
          <Button size="small" kind="quiet" onClick={close}>
            {core().cancel}
          </Button>
          <Button size="small" kind="primary" onClick={() => void save()}>
            {text().save}
          </Button>
        </div>
      </Show>
    </div>
  )
}
