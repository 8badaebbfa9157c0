/** A conversation to look at. */
import { For, Show } from 'solid-js'
import { dayName } from '../i18n/format.ts'
import { DayDivider, MessageRow, UnreadDivider, type Message } from '../chat/MessageRow.tsx'
import type { Shell } from '../module.ts'

const minute = 60_000 // ms
const hour = 60 * minute

const base = new Date().setHours(9, 41, 0, 0)

const plain = { edited: false, pinned: false, mentionsMe: false, reactions: [], thread: undefined, state: 'sent' } as const

export const conversation: readonly Message[] = [
  {
    ...plain,
    id: '1',
    author: 'lucia',
    time: base - 23 * hour,
    body: () => (
      <>
        New tokens are in. The neutrals lean towards spruce now instead of grey, so that white sheets look like paper on a desk rather than like holes in it. Have a look at{' '}
        <a href="/c/design">the comparison</a> before you judge.
      </>
    ),
    pinned: true,
    reactions: [
      { emoji: '🌲', count: 6, mine: true },
      { emoji: '👀', count: 3, mine: false },
    ],
    thread: { replies: 8, people: ['tomas', 'amara', 'wei'], last: Date.now() - 3 * hour },
  },
  { ...plain, id: '2', author: 'tomas', time: base - 22.9 * hour, body: () => <>Contrast holds everywhere? Last time the captions failed in dark.</> },
  {
    ...plain,
    id: '3',
    author: 'lucia',
    time: base - 22.8 * hour,
    body: () => (
      <>
        All pairs are computed in a test now. The smallest is <code>--faint</code> on <code>--well</code>, at 4.9 : 1.
      </>
    ),
    edited: true,
  },
  {
    ...plain,
    id: '4',
    author: 'amara',
    time: base - 0.6 * hour,
    body: () => (
      <>
        Three things from yesterday’s interviews:
        <ul>
          <li>Everybody looks for the unread line first, and only then for who wrote.</li>
          <li>Nobody notices avatars’ colours, until two people have the same.</li>
          <li>“It feels quiet” was said by four out of six, as praise.</li>
        </ul>
      </>
    ),
  },
  {
    ...plain,
    id: '5',
    author: 'wei',
    time: base - 0.3 * hour,
    body: () => (
      <>
        Rolled out to the first cluster, for those who want to try:
        <pre tabIndex={0}>
          <code>{'curl -s https://plenum.example/healthz | jq .version\n"0.9.2-spruce"'}</code>
        </pre>
      </>
    ),
    reactions: [{ emoji: '🚀', count: 4, mine: false }],
  },
  {
    ...plain,
    id: '6',
    author: 'tomas',
    time: base - 0.2 * hour,
    body: () => (
      <>
        <span class="mention mention-me">@ines</span> shall we show it to the board on Thursday? <span class="mention">@amara</span> has the numbers.
      </>
    ),
    mentionsMe: true,
  },
  { ...plain, id: '7', author: 'tomas', time: base - 0.19 * hour, body: () => <>Ten minutes would do.</> },
  {
    ...plain,
    id: '8',
    author: 'ines',
    time: base,
    body: () => <>Yes. I’ll put it first, before the budget: they are awake then.</>,
    state: 'failed',
    cause: 'there is no connection',
  },
]

const firstUnread = '5'
const closely = 5 * minute

export function Conversation(props: { readonly messages: readonly Message[]; readonly divided: boolean; readonly shell: Shell }) {
  // A day's divider sticks to the top as long as its day is there.
  const days = () => {
    const made: Message[][] = []
    for (const message of props.messages) {
      const last = made.at(-1)
      if (last && new Date(last[0]?.time ?? 0).toDateString() === new Date(message.time).toDateString()) last.push(message)
      else made.push([message])
    }
    return made
  }
  return (
    <div ref={(element) => setTimeout(() => element.parentElement?.scrollTo(0, element.parentElement.scrollHeight))}>
      <For each={days()}>
        {(day) => (
          <div>
            <DayDivider name={dayName(day[0]?.time ?? 0, Date.now())} />
            <For each={day}>
              {(message, n) => {
                const before = () => day[n() - 1]
                const unread = () => props.divided && message.id === firstUnread
                return (
                  <>
                    <Show when={unread()}>
                      <UnreadDivider />
                    </Show>
                    <MessageRow
                      message={message}
                      joined={!unread() && before()?.author === message.author && message.time - (before()?.time ?? 0) < closely}
                      onThread={(root) => props.shell.go(`/t/${props.shell.channel() ?? 'design'}/${root.id}`)}
                    />
                  </>
                )
              }}
            </For>
          </div>
        )}
      </For>
    </div>
  )
}
