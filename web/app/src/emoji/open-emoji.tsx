/** A picker beside a button, for as long as somebody looks for an emoji. */
import { render } from 'solid-js/web'
import { moveBeside, type Side } from '../ui/place.ts'
import '../ui/popover.css'
import Picker from './Picker.tsx'
import { text } from './text.ts'

export interface Opening {
  readonly side: Side
  readonly align: 'start' | 'end'
  readonly onPick: (sign: string) => void
  readonly onClosed: () => void
}

/**
 * openPicker shows it above all else; within a dialog it stands in the dialog, since all that is outside of one can't be reached. Escape and a pick give the focus back
 * to the button.
 */
export function openPicker(button: HTMLElement, { side, align, onPick, onClosed }: Opening): { close(): void } {
  const element = document.createElement('div')
  element.className = 'popover emoji'
  element.popover = 'auto'
  element.setAttribute('role', 'dialog')
  element.setAttribute('aria-label', text().title)
  const parent = button.closest('dialog') ?? document.body
  parent.append(element)
  element.showPopover()
  const close = (back: boolean) => {
    if (!element.isConnected) return
    element.removeEventListener('toggle', onToggle)
    dispose()
    element.remove()
    if (back && button.isConnected) button.focus()
    onClosed()
  }
  const onToggle = (event: Event) => {
    if ((event as ToggleEvent).newState === 'closed') close(false)
  }
  element.addEventListener('toggle', onToggle)
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    event.preventDefault() // neither the dialog around nor the pane is meant
    event.stopPropagation()
    close(true)
  })
  const dispose = render(
    () => (
      <Picker
        onReady={() => moveBeside(element, button, side, align)}
        onPick={(sign) => {
          close(true)
          onPick(sign)
        }}
      />
    ),
    element,
  )
  return { close: () => close(true) }
}
