import { createEffect, createMemo, createSignal, on, onCleanup, Show, type JSX } from 'solid-js'
import { list } from '../i18n/format.ts'
import { away } from '../model/away.ts'
import { account, personName, useModel } from '../model/context.ts'
import { Banner } from '../ui/Banner.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Beginning } from './Beginning.tsx'
import { Composer } from './Composer.tsx'
import { useRooms } from './context.ts'
import { MessageList } from './MessageList.tsx'
import { MessageRow } from './MessageRow.tsx'
import type { Place } from './room.ts'
import { text } from './text.ts'

export type Jump = (to: Place) => void

export interface ConversationProps {
  readonly channel: string
  readonly root: number
  readonly name: string
  readonly place: Place
  readonly archived: boolean
  readonly head: (jump: Jump) => JSX.Element
}

/** Conversation is what a channel and a thread have in common: a head, the messages, who types, and where one writes. */
export function Conversation(props: ConversationProps) {
  const rooms = useRooms()
  const model = useModel()
  const room = rooms.open(props.channel, props.root)
  onCleanup(() => rooms.close(room))
  const [at, setAt] = createSignal<number | undefined>(undefined, { equals: false })
  const [marked, setMarked] = createSignal<number | undefined>()
  const [editing, setEditing] = createSignal<number | undefined>()
  let begun = false
  const jump: Jump = (to) => {
    room.jump(to).then(
      (offset) => {
        begun = true
        setMarked(to.kind === 'message' ? to.offset : undefined)
        setAt(offset)
      },
      () => {
        if (!begun) setAt(undefined)
      }, // there is no connection: the place stays where it is, and the banner says why
    )
  }
  createEffect(on(() => props.place, jump))

  const me = () => account(model)?.me
  const editLast = () => {
    const mine = room.items()?.findLast((item) => item.message.author === me() && !item.message.deleted && !item.message.system && item.message.offset > 0)
    if (mine) setEditing(mine.message.offset)
  }
  const typing = createMemo(() => {
    const names = room.typing().filter((id) => id !== me()).map((id) => personName(model.person(id), text().nobody))
    return names.length === 0 ? '' : names.length > 3 ? text().several : text().typing(list(names), names.length)
  })

  return (
    <>
      {props.head(jump)}
      <MessageList
        room={room}
        at={at()}
        label={props.root === 0 ? text().messages(props.name) : text().thread}
        empty={<Beginning name={props.name} />}
        unknown={
          <Show when={away(model)} fallback={<Skeleton rows={8} />}>
            <EmptyState title={text().notKept(props.name)} words={text().notKeptWhy} />
          </Show>
        }
        row={(row) => <MessageRow room={room} row={row} name={props.name} marked={marked()} editing={editing()} onEdit={setEditing} />}
      />
      <p class="typing clip" aria-live="polite">
        {typing()}
      </p>
      <Show
        when={!props.archived}
        fallback={
          <div class="channel-archived">
            <Banner>{text().archived}</Banner>
          </div>
        }
      >
        <Composer room={room} label={props.root === 0 ? text().compose(props.name) : text().reply} onEditLast={editLast} />
      </Show>
    </>
  )
}
