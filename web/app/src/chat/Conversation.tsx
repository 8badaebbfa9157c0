import { createEffect, createMemo, createSignal, on, onCleanup, Show, untrack, type JSX } from 'solid-js'
import { list } from '../i18n/format.ts'
import { explain, isRefusal } from '../i18n/refusals.ts'
import { away } from '../model/away.ts'
import { account, between, nameApart, useModel } from '../model/context.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { toast } from '../ui/toasts.ts'
import { Beginning } from './Beginning.tsx'
import { Composer } from './Composer.tsx'
import { useRooms } from './context.ts'
import { midnight } from './details/days.ts'
import { editingOf } from './editing.ts'
import { Later } from './Later.tsx'
import { MessageList } from './MessageList.tsx'
import { MessageRow } from './MessageRow.tsx'
import { askedPlace } from './places.ts'
import type { Place } from './room.ts'
import { text } from './text.ts'

export interface ConversationProps {
  readonly channel: string
  readonly root: number
  readonly name: string
  readonly place: Place
  /** Why nobody writes here; undefined: one does. */
  readonly silent: string | undefined
  readonly head: () => JSX.Element
}

/** Conversation is what a channel and a thread have in common: a head, the messages, who types, and where one writes. */
export function Conversation(props: ConversationProps) {
  const rooms = useRooms()
  const model = useModel()
  const room = rooms.open(props.channel, props.root)
  let left = false
  onCleanup(() => {
    left = true
    rooms.close(room)
  })
  const [at, setAt] = createSignal<number | undefined>(undefined, { equals: false })
  const [marked, setMarked] = createSignal<number | undefined>()
  const editing = editingOf(props.channel, props.root)
  /** Where to go once there is a connection. */
  const [later, setLater] = createSignal<Place>()
  const [begun, setBegun] = createSignal(false)
  let placed = false // a jump that fails later leaves the reader where they are
  const jump = (to: Place) => {
    setLater(undefined)
    room.jump(to).then(
      (offset) => {
        setBegun(true)
        placed = true
        setMarked(to.kind === 'message' || to.kind === 'time' ? offset : undefined)
        setAt(offset)
        if (to.kind === 'message' && !missing() && !room.items()?.some(({ message }) => message.offset === to.offset)) toast(text().noMessage, { kind: 'failure', cause: text().noMessageWhy, action: undefined })
        if (to.kind === 'time' && !room.items()?.some(({ message }) => message.offset === offset && midnight(message.timeMs) === midnight(to.ms))) toast(text().nothingThatDay)
      },
      (cause: unknown) => {
        if (left || cause instanceof DOMException) return // somewhere else was gone to
        if (!placed) setAt(undefined)
        placed = true
        if (props.root !== 0 && isRefusal(cause) && cause.reason === 'chat.MESSAGE' && !room.items()?.length) {
          setBegun(true) // there is no such thread, as `missing` says
          return
        }
        if (isRefusal(cause) && cause.reason === 'client.OFFLINE') {
          if (to.kind === 'message' || to.kind === 'time') setLater(to) // else the place stays where it is, and the banner of the connection says why
        } else if (!missing()) toast(text().notGone, { kind: 'failure', cause: explain(cause), action: { label: text().retry, run: () => jump(to) } })
      },
    )
  }
  const toEnd = () => { jump({ kind: 'end' }) }
  const place = (): Place => {
    const edited = untrack(editing.offset) // one goes on there, unless another place is meant
    return props.place.kind === 'unread' && edited !== undefined ? { kind: 'message', offset: edited } : props.place
  }
  createEffect(on(place, jump))
  createEffect(on(askedPlace, (asked) => asked?.channel === props.channel && props.root === 0 && jump(asked.place), { defer: true }))

  /** missing is that there is no message of which this would be the thread. That is known once it was looked for: until then, who writes here is left where they are. */
  const missing = createMemo(() => props.root !== 0 && begun() && room.items()?.length === 0 && !room.moreBefore())
  const what = () => (props.root === 0 ? props.name : text().thisThread)
  const me = () => account(model)?.me
  const editLast = () => {
    const mine = room.items()?.findLast((item) => item.message.author === me() && !item.message.deleted && !item.message.system && item.message.offset > 0)
    if (mine) editing.begin(mine.message.offset)
  }
  const typing = createMemo(() => {
    const names = room.typing().filter((id) => id !== me()).map((id) => nameApart(model, id, text().nobody))
    return names.length === 0 ? '' : names.length > 3 ? text().several : text().typing(list(names), names.length)
  })

  return (
    <>
      {props.head()}
      <MessageList
        room={room}
        at={at()}
        label={props.root === 0 ? text().messages(props.name) : text().thread}
        onEnd={toEnd}
        empty={missing() ? <EmptyState title={text().noMessage} words={text().noThreadWhy} /> : <Beginning name={props.name} between={between(model.channel(props.channel))} />}
        unknown={
          <Show
            when={room.trouble()}
            fallback={
              <Show when={away(model)} fallback={<Skeleton rows={8} />}>
                <EmptyState title={text().notKept(what())} words={text().notKeptWhy} />
              </Show>
            }
          >
            {(cause) => (
              <EmptyState title={text().notRead(what())} words={explain(cause())}>
                <Button kind="primary" onClick={() => room.again()}>
                  {text().retry}
                </Button>
              </EmptyState>
            )}
          </Show>
        }
        row={(row) => <MessageRow room={room} row={row} name={props.name} marked={marked()} editing={editing} />}
      />
      <Show when={later()} keyed>
        {(to) => <Later to={to} shown={room.items() !== undefined} onGo={() => jump(to)} onDismiss={() => setLater(undefined)} />}
      </Show>
      <Show when={room.items() && room.trouble()}>
        {(cause) => (
          <div class="channel-silent">
            <Banner
              kind="danger"
              does={
                <Button size="small" onClick={() => room.again()}>
                  {text().retry}
                </Button>
              }
            >
              {text().notTold}: {explain(cause())}
            </Banner>
          </div>
        )}
      </Show>
      <p class="typing clip" aria-live="polite">
        {typing()}
      </p>
      <div class="channel-write" hidden={missing()}>
        <Show
          when={props.silent === undefined}
          fallback={
            <div class="channel-silent">
              <Banner>{props.silent}</Banner>
            </div>
          }
        >
          <Composer room={room} label={props.root === 0 ? text().compose(props.name) : text().reply} onEditLast={editLast} onSend={toEnd} />
        </Show>
      </div>
    </>
  )
}
