/** What keys do. */
import { onCleanup } from 'solid-js'
import type { Command, Shell } from '../module.ts'
import { bare, matches, type Pressed } from '../ui/chord.ts'

export interface Situation {
  /** The focus is where one types. */
  readonly typing: boolean
  /** A dialog is open. */
  readonly dialog: boolean
}

/** commandFor is what a chord does now. While a dialog is open, only what opens the palette counts: it changes places with it. */
export function commandFor(commands: readonly Command[], event: Pressed, situation: Situation): Command | undefined {
  return commands.find((command) =>
    (command.keys ?? []).some((chord) => matches(event, chord) && !(situation.typing && bare(chord)) && (!situation.dialog || command.id === 'shell.palette')),
  )
}

function situation(target: EventTarget | null): Situation {
  const typing = target instanceof HTMLElement && (target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=button])'))
  return { typing, dialog: document.querySelector('dialog[open]') !== null }
}

/** followKeys runs commands by their chords. */
export function followKeys(shell: Shell): void {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return
    const now = situation(event.target)
    const command = commandFor(shell.registry.commands, event, now)
    if (!command && types(event, now)) typedAt(event.target)?.focus()
    if (!command || command.when?.(shell) === false) return
    event.preventDefault()
    command.run(shell)
  }
  document.addEventListener('keydown', onKeyDown)
  onCleanup(() => document.removeEventListener('keydown', onKeyDown))
}

/** types is whether somebody who presses a key means to write, wherever the focus is. A blank presses buttons, and scrolls. */
export function types(event: Pressed, { typing, dialog }: Situation): boolean {
  return !typing && !dialog && /^.$/u.test(event.key) && event.key !== ' ' && !event.ctrlKey && !event.metaKey && !event.altKey
}

/** typedAt is where one writes, in the part of the window where the focus is, else in the main one; a menu takes letters itself. The key that is pressed goes there. */
function typedAt(target: EventTarget | null): HTMLElement | undefined {
  if (!(target instanceof Element) || target.closest('[role=menu], [role=listbox], [role=grid]')) return undefined
  const parts = [target.closest('[data-part]'), document.getElementById('main')]
  return parts.flatMap((part) => [...(part?.querySelectorAll<HTMLElement>('[data-types]') ?? [])]).find((element) => element.offsetParent !== null && !element.closest('[inert]'))
}

const starts = ['[data-part-start]', '[aria-current=page]', 'textarea', 'a[href], button:not(:disabled), input']

/** enterPart focuses what a part of the window is entered by: what is chosen in it, where one writes, or what comes first. */
export function enterPart(part: HTMLElement): void {
  for (const start of starts) {
    const inside = [...part.querySelectorAll<HTMLElement>(start)].find((element) => element.offsetParent !== null)
    if (!inside) continue
    inside.focus()
    return
  }
  part.focus()
}

/** nextPart moves the focus to the next of the window's parts: sidebar, main, pane, top bar. */
export function nextPart(): void {
  const parts = [...document.querySelectorAll<HTMLElement>('[data-part]')].filter((part) => part.offsetParent !== null && !part.closest('[inert]'))
  const at = parts.findIndex((part) => part.contains(document.activeElement))
  const part = parts[(at + 1) % parts.length]
  if (part) enterPart(part)
}
