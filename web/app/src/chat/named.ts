/** Whom or which channel a name in a message means, and how it is shown. */
import { threadKey, type Item } from '@plenum/sdk/chat'
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import type { Named as Mentioned } from '../inbox/inbox.ts'
import { plain, type Rich } from '../markdown/markdown.ts'
import { channelCalled, groupCalled, groupKnown, keyed, personCalled } from '../model/called.ts'
import { account, nameApart } from '../model/context.ts'
import type { Id, Model } from '../model/model.ts'
import { href } from '../shell/paths.ts'
import { rightsOf } from './rights.ts'
import { text } from './text.ts'

/** Handles that mean all who are in the channel, as chat has them. */
export const everybody: readonly string[] = ['channel', 'all']

/**
 * Called is whom a text calls: as the service has found, message.mentions. `users` and `groups` absent: it has not seen the text, and whoever has a handle is
 * shown as named; `everybody` is then whether who writes may call all.
 */
export interface Called {
  readonly users?: readonly Id[]
  readonly groups?: readonly Id[]
  readonly everybody: boolean
}

/** A message without mentions calls nobody, whatever stands in it. */
export const nobody: Called = { users: [], groups: [], everybody: false }

/** calledBy is whom a message calls. One that waits is shown as it will be, as far as that is known here. */
export function calledBy(model: Model, channel: Id, { message, resolved }: Pick<Item, 'message' | 'resolved'>): Called {
  if (resolved) return message.mentions ?? nobody
  if (message.edits > 0) return { everybody: message.mentions?.everybody ?? false } // an edit neither calls all nor takes that back
  return { everybody: (message.root === 0 || message.alsoInChannel) && (rightsOf(model, model.channel(channel))?.mentionAll ?? false) }
}

const toldOf = keyed<Mentioned>(({ channel, offset }) => threadKey(channel, offset))

/** callsReader says that a message of somebody else's calls the reader: by name, with all, or by a group. Whose groups aren't known is told by their inbox. */
export function callsReader(model: Model, channel: Id, { author, offset, mentions }: Pick<Message, 'author' | 'offset' | 'mentions'>): boolean {
  const me = account(model)?.me ?? ''
  if (mentions === undefined || author === me) return false
  return mentions.everybody || mentions.users.includes(me) || mentions.groups.some((id) => groupKnown(model, id)?.mine ?? toldOf(model.inbox.mentions(), threadKey(channel, offset))?.group === id)
}

/** Named is what is shown of a name. */
export interface Named {
  readonly words: string
  /** Where it leads; '': nowhere. */
  readonly href: string
  /** What follows it, and was taken for a part of it; ''. */
  readonly behind: string
  /** What else there is to say of it; ''. */
  readonly tip: string
  /** It names the reader. */
  readonly mine: boolean
}

const plainly = { href: '', behind: '', tip: '', mine: false } as const

/** Names are those of a text, as they were typed, that mean something. */
export type Names = ReadonlyMap<string, Named>

/** namesOf are the names of a text that mean somebody, or a channel, to the reader. */
export function namesOf(model: Model, typed: readonly string[], called: Called): Names {
  const found = new Map<string, Named>()
  for (const one of typed) {
    const named = one.startsWith('#') ? channel(model, one) : somebody(model, one, called)
    if (named) found.set(one, named)
  }
  return found
}

function somebody(model: Model, typed: string, called: Called): Named | undefined {
  const handle = typed.slice(1).toLowerCase()
  if (everybody.includes(handle)) return called.everybody ? { ...plainly, words: typed, mine: true } : undefined
  const person = personCalled(model, handle)
  if (person !== undefined) {
    return called.users?.includes(person.id) === false ? undefined : { ...plainly, words: `@${nameApart(model, person.id)}`, mine: person.id === account(model)?.me }
  }
  const group = groupCalled(model, handle)
  if (group === undefined || called.groups?.includes(group.id) === false) return undefined
  // By its handle, which nobody else has: it may be named as somebody is.
  return { ...plainly, words: `@${group.handle}`, tip: text().group(group.name, text().members(group.members)), mine: group.mine }
}

/** mostName is how long a channel's name may be. */
const mostName = 64

/** channel is one of the reader's. A name may end with a full stop, or a sentence behind it. */
function channel(model: Model, typed: string): Named | undefined {
  for (let end = typed.length; end > 1; end--) {
    const id = end - 1 <= mostName ? channelCalled(model, typed.slice(1, end)) : undefined
    if (id !== undefined) return { ...plainly, words: typed.slice(0, end), href: href('/c/:channel', { channel: id }), behind: typed.slice(end) }
    if (!'._-'.includes(typed.charAt(end - 1))) return undefined
  }
  return undefined
}

/** sameNames says that nothing is to be shown otherwise: whatever else becomes of people, what is read stays as it is. */
export function sameNames(a: Names, b: Names): boolean {
  if (a.size !== b.size) return false
  for (const [typed, one] of a) {
    const other = b.get(typed)
    if (other?.words !== one.words || other.href !== one.href || other.tip !== one.tip || other.mine !== one.mine) return false
  }
  return true
}

const typed = new WeakMap<readonly Rich[], readonly string[]>()

/** typedIn are the names that stand in a text, each once. */
export function typedIn(parts: readonly Rich[]): readonly string[] {
  let found = typed.get(parts)
  if (found === undefined) {
    const all = new Set<string>()
    collect(parts, all)
    typed.set(parts, (found = [...all]))
  }
  return found
}

function collect(parts: readonly Rich[], found: Set<string>): void {
  for (const part of parts) {
    if (typeof part === 'string') continue
    if (part.tag === 'name') found.add(plain(part.children))
    else collect(part.children, found)
  }
}
