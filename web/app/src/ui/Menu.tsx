import { createSignal, createUniqueId, For, Show, type JSX } from 'solid-js'
import { Icon } from './Icon.tsx'
import { checkIcon } from './icons.ts'
import { Keys } from './Kbd.tsx'
import { moveBeside, type Side } from './place.ts'
import './popover.css'

export type MenuItem =
  | {
      readonly label: string
      readonly icon?: string
      readonly keys?: string | undefined
      readonly danger?: boolean
      /** Of one that can be on or off. */
      readonly checked?: boolean
      /** The menu stays, with other items once `run` is done. */
      readonly stays?: boolean
      readonly run: () => void | Promise<void>
    }
  | 'line'

export interface MenuProps {
  readonly items: readonly MenuItem[]
  readonly label: string
  readonly side?: Side
  readonly align?: 'start' | 'end'
  /** Stands above the items. */
  readonly head?: JSX.Element
  readonly onClose?: () => void
  /** The button that opens it: put the properties onto it. */
  readonly button: (properties: MenuButton) => JSX.Element
}

export interface MenuButton {
  readonly ref: (element: HTMLButtonElement) => void
  readonly 'aria-haspopup': 'menu'
  readonly 'aria-expanded': boolean
  readonly 'aria-controls': string
  readonly onClick: () => void
  readonly onKeyDown: (event: KeyboardEvent) => void
}

/** Menu opens below a button; arrows, Home, End and first letters go through it, Escape and Tab leave it. */
export function Menu(props: MenuProps) {
  const id = createUniqueId()
  const [open, setOpen] = createSignal(false)
  let button!: HTMLButtonElement
  let element!: HTMLDivElement

  const items = () => [...element.querySelectorAll<HTMLElement>('.menu-item')]
  const show = (last = false) => {
    setOpen(true)
    element.showPopover()
    moveBeside(element, button, props.side ?? 'below', props.align ?? 'start')
    items().at(last ? -1 : 0)?.focus()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items()
    const at = all.indexOf(document.activeElement as HTMLElement)
    const to = (n: number) => {
      event.preventDefault()
      all[(n + all.length) % all.length]?.focus()
    }
    if (event.key === 'ArrowDown') to(at + 1)
    else if (event.key === 'ArrowUp') to(at < 0 ? -1 : at - 1)
    else if (event.key === 'Home') to(0)
    else if (event.key === 'End') to(-1)
    else if (event.key === 'Tab') element.hidePopover()
    else if (event.key === 'Escape') {
      event.preventDefault() // it closes nothing that is behind
      element.hidePopover()
      button.focus()
    }
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const found = [...all.slice(at + 1), ...all].find((item) => item.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()))
      found?.focus()
    } else return
    event.stopPropagation()
  }

  return (
    <>
      {props.button({
        ref: (found) => (button = found),
        'aria-haspopup': 'menu',
        get 'aria-expanded'() {
          return open()
        },
        'aria-controls': id,
        onClick: () => {
          if (open()) element.hidePopover()
          else show()
        },
        onKeyDown: (event) => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
          event.preventDefault()
          show(event.key === 'ArrowUp')
        },
      })}
      <div
        ref={element}
        id={id}
        class="popover menu"
        popover="auto"
        onKeyDown={onKeyDown}
        on:toggle={(event: Event) => {
          setOpen((event as ToggleEvent).newState === 'open')
          if (!open()) props.onClose?.()
        }}
      >
        <Show when={open()}>
          {props.head}
          <div role="menu" aria-label={props.label}>
            <For each={props.items}>
              {(item) =>
                item === 'line' ? (
                  <hr class="menu-line" />
                ) : (
                  <button
                    type="button"
                    class="menu-item"
                    classList={{ 'menu-item-danger': item.danger ?? false }}
                    role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
                    aria-checked={item.checked}
                    tabIndex={-1}
                    onClick={() => {
                      if (item.stays) {
                        void Promise.resolve(item.run()).then(() => items()[0]?.focus())
                        return
                      }
                      element.hidePopover()
                      button.focus()
                      void item.run()
                    }}
                  >
                    <Show when={item.icon}>{(icon) => <Icon path={icon()} small />}</Show>
                    <span class="menu-item-words">{item.label}</span>
                    <Show when={item.keys}>{(keys) => <Keys chord={keys()} />}</Show>
                    <Show when={item.checked}>
                      <Icon path={checkIcon} small />
                    </Show>
                  </button>
                )
              }
            </For>
          </div>
        </Show>
      </div>
    </>
  )
}
