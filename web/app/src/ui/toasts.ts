/** What is told in passing. */
import { createSignal } from 'solid-js'

interface Action {
  readonly label: string
  readonly run: () => void
}

export interface Toast {
  readonly id: number
  readonly kind: 'note' | 'failure'
  readonly words: string
  /** Why, and what to do. */
  readonly cause: string | undefined
  readonly action: Action | undefined
}

/** What a toast has besides its words. What failed says why, and offers to try it again; `action: undefined` where that can't be done. */
export type More =
  | { readonly kind?: 'note'; readonly cause?: undefined; readonly action?: Action }
  | { readonly kind: 'failure'; readonly cause: string; readonly action: Action | undefined }

const shown = 4 // the oldest go
const lasts = 6_000 // ms that a note without anything to press is there; failures stay until they are closed

const [all, setAll] = createSignal<readonly Toast[]>([])
let last = 0

/** toasts are those that are there, the newest last. */
export const toasts = all

/** toast shows one. Of the same words only the newest stays. */
export function toast(words: string, more: More = {}): number {
  const made: Toast = { id: ++last, kind: more.kind ?? 'note', words, cause: more.cause, action: more.action }
  setAll([...all().filter((old) => old.words !== words || old.cause !== made.cause), made].slice(-shown))
  if (made.kind === 'note' && !made.action) setTimeout(() => dismiss(made.id), lasts)
  return made.id
}

export function dismiss(id: number): void {
  setAll(all().filter((old) => old.id !== id))
}
