import type { Session } from '@plenum/sdk'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { isFinal } from '../final.ts'
import type { Browsed, Id, Page, Preview } from '../model.ts'

/** How many channels are asked for at a time. */
const limit = 50

/** So many words are looked for at once, and of so many bytes together; what is more is left out. */
const mostWords = 4
const mostBytes = 64

/** What a preview shows: so many people, of so many messages those that were said. */
const mostPeople = 8
const mostRead = 12
const mostSaid = 5

/**
 * browse lists channels that one may join, in whose names each of the words begins a word. The service gives archived ones beside the others, and looks through so many names
 * at a time: a page of archived ones is made of as many as it takes, one of the others until something is found.
 */
export async function browse(session: Session, words: string, page: string, archived: boolean, joined: (id: Id) => boolean): Promise<Page<Browsed>> {
  const few = words.trim().split(/\s+/).slice(0, mostWords).join(' ')
  const asked = few.slice(0, new TextEncoder().encodeInto(few, new Uint8Array(mostBytes)).read)
  const items: Browsed[] = []
  for (let next = page; ;) {
    const answer = await session.call(chat.browseChannels, { words: asked, page: next, limit: archived ? 200 : limit, archived })
    for (const c of answer.channels) if (c.archived === archived) items.push({ id: c.id, name: c.name, topic: c.topic, members: c.members, joined: joined(c.id), archived })
    next = answer.next
    if (next === '' || items.length >= (archived ? limit : 1)) return { items, next }
  }
}

/** preview reads what is told of a channel to who isn't in it. */
export async function preview(session: Session, channel: Id): Promise<Preview> {
  const [about, people, said] = await Promise.all([
    session.call(chat.getChannel, { channel }),
    session.call(chat.listMembers, { channel, page: '', limit: mostPeople }).then(({ members }) => members.map(({ user }) => user), unless([])),
    session.call(chat.history, { channel, limit: mostRead }).then(({ messages }) => messages.filter((m) => !m.system && !m.deleted).slice(-mostSaid), unless(undefined)),
  ])
  const { name = '', topic = '', purpose = '', members = 0, archived = false } = about.channel ?? {}
  return { name, topic, purpose, members, archived, people, said: said?.map(({ offset, author, timeMs, text, mentions }) => ({ offset, author, timeMs, text, mentions })) }
}

/** unless is what stands for an answer that is refused for good, as what may not be read is; what may still come is thrown. */
const unless = <T>(instead: T) => (error: unknown): T => {
  if (isFinal(error)) return instead
  throw error
}
