import { createMemo, createSignal, onCleanup, Show } from 'solid-js'
import { list } from '../i18n/format.ts'
import { account, channelName, personName, useModel } from '../model/context.ts'
import type { ScreenProps } from '../module.ts'
import { EmptyState } from '../ui/Empty.tsx'
import { text as core } from '../i18n/en.ts'
import { Composer } from './Composer.tsx'
import { useRooms } from './context.ts'
import { Header } from './Header.tsx'
import { MessageList } from './MessageList.tsx'
import { MessageRow } from './MessageRow.tsx'
import type { Place, Room } from './room.ts'
import { text } from './text.ts'
import './channel.css'

/** Channel is the screen of a channel: what is said in it, and where one writes. */
export default function Channel(props: ScreenProps<{ readonly channel: string; readonly message?: string }>) {
  const model = useModel()
  return (
    <Show when={props.params.channel} keyed>
      {(id) => (
        <Show when={model.channel(id)} fallback={<Show when={model.ready()}><EmptyState title={core().shell.notFound} words={core().shell.notFoundWhy} /></Show>}>
          {(channel) => (
            <section class="channel" aria-label={channelName(model, channel())}>
              <Conversation channel={id} root={0} name={channelName(model, channel())} place={placeOf(props.params.message)} header={(room, jump) => <Header channel={channel()} room={room} onJump={jump} />} closed={channel().archived} />
            </section>
          )}
        </Show>
      )}
    </Show>
  )
}

function placeOf(message: string | undefined): Place {
  const offset = Number(message)
  return Number.isSafeInteger(offset) && offset > 0 ? { kind: 'message', offset } : { kind: 'unread' }
}

export interface ConversationProps {
  readonly channel: string
  readonly root: number
  readonly name: string
  readonly place: Place
  readonly header: (room: Room, jump: (to: Place) => void) => unknown
  /** Nothing can be written: it is archived. */
  readonly closed: boolean
}

/** Conversation is what a channel and a thread have in common: a head, the messages, who types, and the composer. */
export function Conversation(props: ConversationProps) {
  const rooms = useRooms()
  const model = useModel()
  const room = rooms.open(props.channel, props.root)
  onCleanup(() => rooms.close(room))
  const [at, setAt] = createSignal<number | undefined>()
  const [marked, setMarked] = createSignal<number | undefined>()
  const jump = (to: Place) => {
    void room.jump(to).then((offset) => {
      setAt(undefined) // the same place, again
      setAt(offset)
      setMarked(to.kind === 'message' ? to.offset : undefined)
    })
  }
  jump(props.place)

  const me = () => account(model)?.me
  const editLast = () => {
    const last = room.items()?.findLast((item) => item.message.author === me() && !item.message.deleted && !item.message.system && item.message.offset > 0)
    const row = last && document.querySelector<HTMLElement>(`.message[data-offset="${last.message.offset}"]`)
    row?.dispatchEvent(new CustomEvent('edit'))
  }
  const typing = createMemo(() => {
    const names = room.typing().filter((id) => id !== me()).map((id) => personName(model.person(id), text().nobody))
    return names.length === 0 ? '' : names.length > 3 ? text().several : text().typing(list(names), names.length)
  })

  return (
    <>
      {props.header(room, jump) as Element}
      <MessageList room={room} at={at()} row={(row) => <MessageRow room={room} row={row} marked={marked()} name={props.name} />} />
      <p class="typing" aria-live="polite">
        {typing()}
      </p>
      <Show when={!props.closed}>
        <Composer room={room} label={props.root === 0 ? text().write(props.name) : text().writeReply} onEditLast={editLast} />
      </Show>
    </>
  )
}
