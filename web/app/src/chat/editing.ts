import { createSignal, type Accessor } from 'solid-js'
import { ofTab } from '../shell/stored.ts'

/** Editing is which message of a room is being changed, and to what. It outlives its row, which leaves the document out of sight, the screen, and a page that is loaded anew. */
export interface Editing {
  /** Of the message; undefined: none is changed. */
  readonly offset: Accessor<number | undefined>
  /** What is typed so far; undefined: it has just begun. */
  text(): string | undefined
  begin(offset: number): void
  type(text: string): void
  /** It is saved, or was given up. */
  end(): void
}

/** editingOf is that of a room in this tab: one message at a time. */
export function editingOf(channel: string, root: number): Editing {
  const key = `plenum.editing.${channel}.${root}`
  const [before, ...words] = (ofTab.get(key) ?? '').split('\n') // the offset, and what was typed
  const [offset, setOffset] = createSignal(Number(before) || undefined)
  let text = offset() === undefined ? undefined : words.join('\n')
  return {
    offset,
    text: () => text,
    begin: (at) => {
      if (at !== offset()) text = undefined
      setOffset(at)
    },
    type: (typed) => {
      text = typed
      ofTab.set(key, `${offset() ?? ''}\n${typed}`)
    },
    end: () => {
      text = undefined
      ofTab.remove(key)
      setOffset(undefined)
    },
  }
}
