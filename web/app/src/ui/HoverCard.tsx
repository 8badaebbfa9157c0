import { createSignal, createUniqueId, onCleanup, Show, type JSX } from 'solid-js'
import { moveBeside } from './place.ts'
import './popover.css'

const openAfter = 350 // ms over it
const closeAfter = 160 // ms beside it

export interface HoverCardProps {
  readonly label: string
  /** What is shown; made when it is opened. */
  readonly card: () => JSX.Element
  /** What one hovers or presses; a button is around it. */
  readonly children: JSX.Element
}

/** HoverCard tells more of what is under the pointer; the keyboard opens it by pressing. */
export function HoverCard(props: HoverCardProps) {
  const id = createUniqueId()
  const [open, setOpen] = createSignal(false)
  let button!: HTMLButtonElement
  let element!: HTMLDivElement
  let timer: ReturnType<typeof setTimeout> | undefined

  const show = () => {
    if (open()) return
    setOpen(true)
    element.showPopover()
    moveBeside(element, button, 'below', 'start')
  }
  const later = (ms: number, run: () => void) => {
    clearTimeout(timer)
    timer = setTimeout(run, ms)
  }
  const leave = () => later(closeAfter, () => element.hidePopover())
  onCleanup(() => clearTimeout(timer))
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open()) return
    event.preventDefault() // it closes nothing that is behind
    element.hidePopover()
    button.focus()
  }

  return (
    <>
      <button
        ref={button}
        type="button"
        class="card-anchor"
        aria-expanded={open()}
        aria-controls={id}
        onPointerEnter={(event) => event.pointerType === 'mouse' && later(openAfter, show)}
        onPointerLeave={leave}
        onKeyDown={onKeyDown}
        onClick={() => (open() ? element.hidePopover() : show())}
      >
        {props.children}
      </button>
      <div
        ref={element}
        id={id}
        class="popover card"
        popover="auto"
        role="dialog"
        aria-label={props.label}
        onPointerEnter={() => clearTimeout(timer)}
        onPointerLeave={leave}
        onKeyDown={onKeyDown}
        on:toggle={(event: Event) => setOpen((event as ToggleEvent).newState === 'open')}
      >
        <Show when={open()}>
          <div class="card-body">{props.card()}</div>
        </Show>
      </div>
    </>
  )
}
