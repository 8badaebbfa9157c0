/** Rooms with a conversation to look at. */
import { message, ServerError } from '@plenum/sdk'
import type { Item } from '@plenum/sdk/chat'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { createSignal } from 'solid-js'
import { sampleBeside } from './beside.ts'
import type { Room, Rooms } from '../chat/room.ts'

const minute = 60_000 // ms
const hour = 60 * minute
const base = new Date().setHours(9, 41, 0, 0)

function item(offset: number, author: string, timeMs: number, text: string, more: Partial<Message> = {}, state: Item['state'] = 'sent'): Item {
  const cause = state === 'refused' ? new ServerError(103, 'chat.ARCHIVED', 'the channel was archived') : undefined
  return { key: String(offset), message: message(Message, { offset, author, timeMs, text, ...more }), resolved: state === 'sent', state, cause, seq: state === 'sent' ? undefined : offset, changes: [] }
}
const reaction = (emoji: string, count: number, mine = false) => ({ emoji, count, mine, users: [] })
const mentions = (users: string[], groups: string[] = []) => ({ users, groups, everybody: false })

const root = item(
  1,
  'lucia',
  base - 23 * hour,
  'New tokens are in. The neutrals lean towards spruce now instead of grey, so that white sheets look like paper on a desk rather than like holes in it. Have a look at [the comparison](https://plenum.example/tokens) before you judge.',
  { pinned: true, reactions: [reaction('🌲', 6, true), reaction('👀', 3)], thread: { root: 1, replies: 8, lastReply: 4, lastReplyMs: Date.now() - 3 * hour } },
)

const conversation: readonly Item[] = [
  root,
  item(2, 'tomas', base - 22.9 * hour, 'Contrast holds everywhere? Last time the captions failed in dark.'),
  item(3, 'lucia', base - 22.8 * hour, 'All pairs are computed in a test now. The smallest is `--faint` on `--well`, at 4.9 : 1.', { edits: 1 }),
  item(
    4,
    'amara',
    base - 0.6 * hour,
    'Three things from yesterday’s interviews:\n\n- Everybody looks for the unread line first, and only then for who wrote.\n- Nobody notices avatars’ colours, until two people have the same.\n- “It feels quiet” was said by four out of six, as praise.',
  ),
  item(5, 'wei', base - 0.3 * hour, 'Rolled out to the first cluster, for those who want to try:\n\n```sh\ncurl -s https://plenum.example/livez\n```', { reactions: [reaction('🚀', 4)] }),
  item(6, 'tomas', base - 0.2 * hour, '@ines shall we show it to the board on Thursday? @amara has the numbers.', { mentions: mentions(['ines', 'amara']) }),
  item(7, 'tomas', base - 0.19 * hour, 'Ten minutes would do. @research may want to come, and @on-call should know. The rest is in #field-notes.', { mentions: mentions([], ['research', 'on-call']) }),
  item(8, 'ines', base, 'Yes. I’ll put it first, before the budget: they are awake then.', {}, 'refused'),
]

const replies: readonly Item[] = [
  root,
  item(11, 'amara', base - 5 * hour, 'The sheets look right to me. Could the sidebar be a touch darker?', { root: 1 }),
  item(12, 'lucia', base - 4 * hour, 'It is, by 2 %. Try it on the projector.', { root: 1, reactions: [reaction('👍', 2)] }),
]

const nothing = () => undefined

/** sampleRooms has the same conversation in each channel but those that are `empty`. */
export function sampleRooms(empty: boolean): Rooms {
  return {
    open: (channel, thread): Room => {
      const [words, setWords] = createSignal('')
      const [items, setItems] = createSignal(empty || channel === 'random' ? [] : thread === 0 ? conversation : replies)
      return {
        channel,
        root: thread,
        items,
        trouble: nothing,
        again: nothing,
        moreBefore: () => false,
        moreAfter: () => false,
        readBefore: nothing,
        readAfter: nothing,
        jump: () => Promise.resolve(undefined),
        arrived: () => 0,
        unreadFrom: () => (thread === 0 ? 5 : 0),
        typing: () => (thread === 0 && !empty ? ['wei'] : []),
        seen: nothing,
        markUnread: nothing,
        send: (text) => setItems((all) => [...all, item(100 + all.length, 'ines', Date.now(), text, { root: thread })]),
        edit: nothing,
        remove: nothing,
        react: nothing,
        pin: nothing,
        retry: nothing,
        drop: nothing,
        types: nothing,
        draft: { text: words, write: setWords, theirs: nothing, resolve: nothing },
      }
    },
    close: nothing,
    unsent: () => [],
    retry: nothing,
    drop: nothing,
    beside: (channel) => sampleBeside(channel, empty),
    leave: nothing,
  }
}
