import { createSignal, onCleanup, type Accessor } from 'solid-js'
import type { Id } from '../model/model.ts'

/** Who types says so again within 3 s; who isn't heard for 5 s types no longer. */
export const sayEvery = 3_000
export const heardFor = 5_000

/** Typists are those who type, by when they were heard last. */
export interface Typists {
  readonly who: Accessor<readonly Id[]>
  heard(user: Id): void
  /** Their message came, or they left. */
  gone(user: Id): void
}

export function createTypists(): Typists {
  const [who, setWho] = createSignal<readonly Id[]>([])
  const timers = new Map<Id, ReturnType<typeof setTimeout>>()
  const gone = (user: Id) => {
    clearTimeout(timers.get(user))
    if (timers.delete(user)) setWho([...timers.keys()])
  }
  onCleanup(() => {
    for (const timer of timers.values()) clearTimeout(timer)
  })
  return {
    who,
    gone,
    heard: (user) => {
      clearTimeout(timers.get(user))
      const known = timers.has(user)
      timers.set(user, setTimeout(() => gone(user), heardFor))
      if (!known) setWho([...timers.keys()])
    },
  }
}
