/** Cards are what is told in the page, in passing. */
import { createSignal, type Accessor } from 'solid-js'
import type { Id } from '../model/model.ts'
import type { Said } from './arrivals.ts'

export interface Told {
  /** Of one conversation only the newest is there. */
  readonly key: string
  readonly said: Said | undefined
  /** undefined: several. */
  readonly author: Id | undefined
  readonly title: string
  readonly where: string
  readonly line: string
  readonly path: string
  readonly mention: boolean
}

/** How many are there at most: the oldest go. */
export const most = 3

/** How long a card is there, in ms, as long as nobody points at it. */
export const lasts = 8_000

export interface CardList {
  /** The newest last. */
  readonly all: Accessor<readonly Told[]>
  show(told: Told): void
  close(key: string): void
  /** hold keeps all of them, as long as somebody points at one or has the focus there. */
  hold(on: boolean): void
}

export function createCards(): CardList {
  const [all, setAll] = createSignal<readonly Told[]>([])
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  let held = false
  const close = (key: string) => {
    clearTimeout(timers.get(key))
    timers.delete(key)
    setAll((before) => (before.some((told) => told.key === key) ? before.filter((told) => told.key !== key) : before))
  }
  const later = (key: string) => {
    clearTimeout(timers.get(key))
    if (!held) timers.set(key, setTimeout(() => close(key), lasts))
  }
  return {
    all,
    close,
    show: (told) => {
      const next = [...all().filter((other) => other.key !== told.key), told]
      for (const gone of next.slice(0, -most)) close(gone.key)
      setAll(next.slice(-most))
      later(told.key)
    },
    hold: (on) => {
      held = on
      for (const { key } of all()) later(key)
    },
  }
}
