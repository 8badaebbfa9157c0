/**
 * Chords: what is pressed at once, written "Mod+K", "Alt+Shift+ArrowDown", "?". Mod is Command on Apple's machines and Control elsewhere. What is written as one
 * character that isn't a letter ("?") means that character, whatever keys make it on somebody's keyboard.
 */

export interface Pressed {
  readonly key: string
  readonly code?: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
  readonly shiftKey: boolean
}

export const apple = typeof navigator !== 'undefined' && /Mac|iP(hone|ad|od)/.test(navigator.platform)

interface Chord {
  readonly key: string
  readonly mod: boolean
  readonly alt: boolean
  readonly shift: boolean
}

function parse(chord: string): Chord {
  const parts = chord.split('+')
  const key = parts.pop() ?? ''
  return { key, mod: parts.includes('Mod'), alt: parts.includes('Alt'), shift: parts.includes('Shift') }
}

/** matches says that what was pressed is a chord. Letters are also known by their place, for Alt makes other characters of them, and other scripts have none. */
export function matches(event: Pressed, chord: string, onApple = apple): boolean {
  const want = parse(chord)
  const mod = onApple ? event.metaKey : event.ctrlKey
  if (mod !== want.mod || (onApple ? event.ctrlKey : event.metaKey) || event.altKey !== want.alt) return false
  if (want.key.length === 1 && !/[A-Z]/.test(want.key)) return event.key === want.key
  if (event.shiftKey !== want.shift) return false
  return event.key.toUpperCase() === want.key.toUpperCase() || (want.key.length === 1 && !/^[a-z]$/i.test(event.key) && event.code === `Key${want.key}`)
}

/** bare says that a chord is what one also types: it doesn't count in a field. */
export function bare(chord: string): boolean {
  const want = parse(chord)
  return !want.mod && !want.alt && want.key.length === 1
}

const signs: Readonly<Record<string, string>> = { ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', Enter: '↵', Escape: 'Esc' }

/** labels are what is printed on the keys of a chord. */
export function labels(chord: string, onApple = apple): readonly string[] {
  const want = parse(chord)
  return [
    ...(want.mod ? [onApple ? '⌘' : 'Ctrl'] : []),
    ...(want.alt ? [onApple ? '⌥' : 'Alt'] : []),
    ...(want.shift ? [onApple ? '⇧' : 'Shift'] : []),
    signs[want.key] ?? want.key,
  ]
}
