/** What is told of a message, and where. All rules stand here, one behind the other; decide.test.ts has a line for each. */
import { between } from '../model/context.ts'
import type { Channel, Id } from '../model/model.ts'
import type { Preferences } from '../shell/preferences.ts'
import type { Said } from './arrivals.ts'

/** How long a message may have been under way and still be told by itself, in ms: what is older came with a connection that was away. */
export const fresh = 5 * 60_000

/** How many are told by themselves at once: more are told as a number. */
export const atOnce = 3

export interface Context {
  readonly me: Id
  readonly channel: Pick<Channel, 'kind' | 'muted' | 'level'>
  /** What the account wants of channels that it has not set otherwise. */
  readonly standard: Preferences['notify']
  /** It has been read, here or on another device. */
  readonly read: boolean
  /** The account is not to be disturbed. */
  readonly quiet: boolean
  /** The conversation is open in a page that is focused. */
  readonly looking: boolean
  /** A page of the account is focused, in this browser. */
  readonly focused: boolean
  /** Since when it is listened, and now: the server's clock, Unix ms. */
  readonly since: number
  readonly now: number
}

export type Verdict =
  | { readonly kind: 'nothing'; readonly why: 'own' | 'gone' | 'before' | 'read' | 'muted' | 'quiet' | 'level' | 'looking' }
  /** `card`: in the page; `desk`: outside of it. `late`: only counted. */
  | { readonly kind: 'tell'; readonly where: 'card' | 'desk'; readonly why: 'message' | 'mention' | 'reply'; readonly late: boolean }

/** wants is what of a channel is told: by its own level; where there is none, by the account's standard, which for direct messages is all or nothing. */
export function wants(channel: Context['channel'], standard: Context['standard']): 'all' | 'mentions' | 'none' {
  const { muted, level } = channel
  if (muted) return 'none'
  if (level !== 'default') return level
  if (standard === 'none') return 'none'
  return between(channel) ? 'all' : standard
}

/** decide says what is told of a message. The first rule that fits holds. */
export function decide(said: Said, context: Context): Verdict {
  if (said.author === context.me) return nothing('own')
  if (said.gone) return nothing('gone')
  if (said.timeMs <= context.since) return nothing('before')
  if (context.read) return nothing('read')
  if (context.channel.muted) return nothing('muted')
  if (context.quiet) return nothing('quiet')
  const level = wants(context.channel, context.standard)
  if (level === 'none') return nothing('level')
  const why = said.names || said.everybody ? 'mention' : said.root !== 0 && said.following ? 'reply' : said.shown && level === 'all' ? 'message' : undefined
  if (why === undefined) return nothing('level')
  if (context.looking) return nothing('looking')
  return { kind: 'tell', where: context.focused ? 'card' : 'desk', why, late: context.now - said.timeMs > fresh }
}

function nothing(why: Extract<Verdict, { kind: 'nothing' }>['why']): Verdict {
  return { kind: 'nothing', why }
}

/** Plan is what is told of a batch: the newest of each conversation, or how many there are. */
export interface Plan {
  readonly each: readonly Said[]
  readonly sum: number
  /** Of those that are summed up: where a click leads. */
  readonly first: Said | undefined
}

/** plan puts together what was decided to be told. */
export function plan(told: readonly { readonly said: Said; readonly late: boolean }[], more: number): Plan {
  const fresh = new Map<string, Said>()
  for (const { said, late } of told) if (!late) fresh.set(conversation(said), said)
  if (fresh.size > atOnce || more > 0) return { each: [], sum: told.length + more, first: told[0]?.said }
  const late = told.filter((one) => one.late)
  return { each: [...fresh.values()], sum: late.length, first: late[0]?.said }
}

/** conversation is where it was said: a channel, or a thread that isn't shown there. */
export function conversation({ channel, root, shown }: Pick<Said, 'channel' | 'root' | 'shown'>): string {
  return shown ? channel : `${channel}/${root}`
}

/** pathOf is where a message is read. */
export function pathOf({ channel, offset, root, shown }: Pick<Said, 'channel' | 'offset' | 'root' | 'shown'>): string {
  return shown ? `/c/${channel}/${offset}` : `/t/${channel}/${root}`
}
