import { VList, type VListHandle } from 'virtua/solid'
import { createEffect, createMemo, createSignal, on, onCleanup, onMount, Show, untrack, type JSX } from 'solid-js'
import { unfolds } from './Body.tsx'
import { Hold } from './hold.ts'
import type { Room } from './room.ts'
import { Rows, shifted, type Row } from './rows.ts'
import { text } from './text.ts'

/** How near to an end, in px, more is read; and how near to the end new messages are followed. */
const ahead = 1200
const atEnd = 48

/** For so long, in ms, a message that was gone to is kept in the middle, by what is measured around it. */
const settling = 150

export interface MessageListProps {
  readonly room: Room
  readonly row: (row: Row) => JSX.Element
  /** The offset to show; undefined: the end. */
  readonly at: number | undefined
  readonly label: string
  /** The reader wants to go to the end. */
  readonly onEnd: () => void
  /** What is shown where there is nothing. */
  readonly empty: JSX.Element
  /** Until it is known what there is. */
  readonly unknown: JSX.Element
}

/**
 * MessageList shows a room's messages and holds its place: what is read before moves nothing, what arrives while the reader looks further up neither. At the
 * end it stays there. Only what is near the window is in the document.
 */
export function MessageList(props: MessageListProps) {
  const made = new Rows()
  const rows = createMemo(() => made.of(props.room.items() ?? [], props.room.unreadFrom(), props.room.root === 0 && !props.room.moreBefore()))
  const [shift, setShift] = createSignal(false)
  const [shown, setShown] = createSignal<readonly Row[]>([])
  const [ended, setEnded] = createSignal(true)
  const [met, setMet] = createSignal(untrack(() => props.room.arrived())) // of those that arrived
  const missed = () => props.room.arrived() - met()
  const [placed, setPlaced] = createSignal(false) // where the reader begins has been gone to: before, nothing is seen
  let list: VListHandle | undefined
  let around!: HTMLDivElement
  const hold = new Hold(() => list, () => around.querySelector<HTMLElement>('.channel-scroll') ?? undefined, () => untrack(shown))

  const toEnd = () => { hold.to('end') }
  const isEnded = () => list !== undefined && list.scrollSize - list.scrollOffset - list.viewportSize < atEnd
  const last = () => props.room.items()?.at(-1)

  let whole = true // it reaches to the end: what is read behind it where it did not is read on from where one is
  createEffect(
    on(rows, (next, before) => {
      const reached = whole
      whole = !props.room.moreAfter()
      const follow = untrack(ended) && whole && reached
      setShift(before !== undefined && !follow && shifted(before, next)) // at the end it goes there anyway; and one that doesn't scroll can't be shifted
      if (hold.atEnd && !follow) hold.leave()
      hold.changing(untrack(shift))
      setShown(next)
      queueMicrotask(() => { if (follow) toEnd(); else hold.changed() })
    }),
  )
  createEffect(
    on(
      () => props.at,
      (at) => {
        setPlaced(false)
        queueMicrotask(() => {
          const row = at === undefined ? undefined : untrack(shown).find((row) => row.kind === 'message' && row.item().message.offset >= at)
          setEnded(row === undefined)
          hold.to(row ?? 'end')
          const end = untrack(last)?.message.offset
          const there = () => {
            if (!hold.atEnd) hold.leave()
            setPlaced(true)
            look()
          }
          const settled = () => {
            if (row === undefined && untrack(ended) && untrack(last)?.message.offset !== end) {
              toEnd() // what has come meanwhile is the end now
              frames(2, there)
            } else there()
          }
          frames(2, row === undefined ? settled : () => setTimeout(settled, settling)) // by then it is there, and measured
        })
      },
      { defer: true },
    ),
  )

  // One that grows at the end is read from where it was: its end would be somewhere below.
  const stay = () => {
    hold.leave()
    setEnded(false)
  }
  onMount(() => around.addEventListener(unfolds, stay))

  const see = () => {
    if (!placed() || !document.hasFocus() || document.visibilityState !== 'visible') return
    const message = last()?.message
    if (ended() && message !== undefined && message.offset > 0 && !props.room.moreAfter()) props.room.seen(message.offset)
  }
  const look = () => {
    if (list === undefined) return
    setEnded(isEnded())
    if (!placed()) return
    if (list.scrollOffset < ahead) props.room.readBefore()
    if (list.scrollSize - list.scrollOffset - list.viewportSize < ahead) props.room.readAfter()
    see()
  }
  createEffect(() => {
    if (ended() && !props.room.moreAfter()) setMet(props.room.arrived())
  })
  createEffect(on([last, ended], () => queueMicrotask(see)))
  for (const event of ['focus', 'visibilitychange'] as const) {
    window.addEventListener(event, see)
    onCleanup(() => window.removeEventListener(event, see))
  }

  return (
    <div ref={around} class="channel-list">
      <Show when={props.room.items()} fallback={props.unknown}>
        <Show when={shown().length > 1 || props.room.moreBefore()} fallback={props.empty}>
        <VList
          ref={(handle) => (list = handle)}
          class="channel-scroll"
          data={shown()}
          shift={shift()}
          bufferSize={600}
          onScroll={() => {
            hold.scrolled(!props.room.moreAfter())
            look()
          }}
          onScrollEnd={() => { hold.stands() }}
          onResize={() => {
            hold.measured(!props.room.moreAfter())
            if (hold.atEnd) setEnded(true) // a window that grew may have scrolled it before it was measured
            else if (placed()) look() // all may be in the window now
          }}
          role="log"
          aria-label={props.label}
          aria-live="off"
          tabIndex={0}
        >
          {(row) => props.row(row)}
        </VList>
        </Show>
      </Show>
      <Show when={!ended() || props.room.moreAfter()}>
        <button
          type="button"
          class="channel-to-end"
          onClick={() => props.onEnd()}
        >
          {missed() > 0 ? text().newBelow(missed()) : text().toEnd}
        </button>
      </Show>
    </div>
  )
}

/** frames calls back when so many have been painted. */
function frames(n: number, then: () => void): void {
  requestAnimationFrame(() => { if (n > 1) frames(n - 1, then); else then() })
}
