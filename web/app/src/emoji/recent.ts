/** What was picked last, in this browser, and the colour of skin. Known without the data: reactions offer them at once. */
import { createSignal } from 'solid-js'
import { ofBrowser, onForget, personal } from '../shell/stored.ts'
import type { Tone } from './emoji.ts'

const key = personal.emoji
const kept = 24 // three rows

/** What most reactions are, for who has picked nothing yet. */
const usual = ['👍', '❤️', '😂', '🎉', '👀', '✅']

interface Kept {
  readonly recent: readonly string[]
  readonly tone: Tone
}

/** parse is what a stored text says; whatever is wrong in it counts for nothing. */
export function parse(stored: string | null): Kept {
  try {
    const { recent, tone } = JSON.parse(stored ?? '{}') as { recent?: unknown; tone?: unknown }
    return {
      recent: Array.isArray(recent) ? recent.filter((sign) => typeof sign === 'string' && sign !== '' && sign.length <= 32).slice(0, kept) as string[] : [],
      tone: typeof tone === 'number' && [0, 1, 2, 3, 4, 5].includes(tone) ? (tone as Tone) : 0,
    }
  } catch {
    return { recent: [], tone: 0 }
  }
}

const read = () => parse(ofBrowser.get(key))

const [now, setNow] = createSignal<Kept>(read())
onForget(() => setNow(read()))

function keep(next: Kept): void {
  setNow(next)
  ofBrowser.set(key, JSON.stringify(next))
}

export const recent = (): readonly string[] => now().recent
export const tone = (): Tone => now().tone

/** quick are so many to react with at once: the last ones, and the usual ones. */
export function quick(most: number): readonly string[] {
  return [...new Set([...recent(), ...usual])].slice(0, most)
}

/** used is that one was picked: it goes first. */
export function used(sign: string): void {
  const { recent: before } = read() // another page may have added some
  keep({ ...now(), recent: [sign, ...before.filter((other) => other !== sign)].slice(0, kept) })
}

export function preferTone(to: Tone): void {
  keep({ ...now(), tone: to })
}
