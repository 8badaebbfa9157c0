/** How components reach the model, and what they derive from it. */
import { createContext, useContext } from 'solid-js'
import { lookOf } from './lookalikes.ts'
import type { Access, Account, Channel, Id, Model, Person } from './model.ts'

const Context = createContext<Model>()

export const ModelProvider = Context.Provider

/** useModel is the model of the application around. */
export function useModel(): Model {
  const model = useContext(Context)
  if (!model) throw new Error('no ModelProvider around')
  return model
}

const Way = createContext<Access>()

export const AccessProvider = Way.Provider

/** useAccess is the way in and out: all that there is where nobody is signed in. */
export function useAccess(): Access {
  const access = useContext(Way)
  if (!access) throw new Error('no AccessProvider around')
  return access
}

/** account is who is signed in; undefined: nobody. */
export function account(model: Model): Account | undefined {
  const stage = model.access.stage()
  return stage.kind === 'signed-in' ? stage.account : undefined
}

export function may(model: Model, permission: string): boolean {
  return account(model)?.permissions.has(permission) ?? false
}

/** counterparts are the others of a direct or group channel; alone with oneself: oneself. */
export function counterparts(model: Model, channel: Channel): readonly Id[] {
  const me = account(model)?.me
  const others = channel.people.filter((id) => id !== me)
  return others.length > 0 ? others : channel.people
}

export function channelName(model: Model, channel: Channel): string {
  if (channel.name) return channel.name
  return counterparts(model, channel)
    .map((id) => nameApart(model, id, '…')) // until they are known
    .join(', ')
}

/** personName is what somebody is called; of who isn't known yet, their id. */
export function personName(person: Person | undefined, id: Id): string {
  return person?.name ?? id
}

/** nameApart is what somebody is called where nothing but their name is to be seen: with their handle, where somebody else's looks the same. */
export function nameApart(model: Model, id: Id, unknown: string = id): string {
  const person = model.person(id)
  if (person === undefined) return unknown
  return isNamesake(model, person) ? `${person.name} (@${person.handle})` : person.name
}

const namesakes = new WeakMap<readonly Person[], ReadonlySet<string>>()

/** isNamesake says whether somebody else's name looks as a person's does, so that their handle has to tell them apart. */
export function isNamesake(model: Model, person: Person): boolean {
  const people = model.people()
  let shared = namesakes.get(people)
  if (shared === undefined) {
    const seen = new Set<string>()
    shared = new Set(people.map(({ name }) => lookOf(name)).filter((name) => seen.size === seen.add(name).size))
    namesakes.set(people, shared)
  }
  return shared.has(lookOf(person.name))
}

/** calls counts what asks for the account in a channel: by its level all messages, mentions or nothing; where none is set, all of a direct channel, and mentions elsewhere. */
export function calls(channel: Channel): number {
  const { muted, level, unread, mentions } = channel
  if (muted || level === 'none') return 0
  return level === 'all' || (level === 'default' && between(channel)) ? unread : mentions
}

/** titleCount is the sum that the page's title shows. */
export function titleCount(channels: readonly Channel[]): number {
  return channels.reduce((sum, channel) => sum + calls(channel), 0)
}

/** isUnread says that a channel's name stands out. */
export function isUnread(channel: Channel): boolean {
  return channel.unread > 0 && !channel.muted
}

/** nextUnread is the next channel with something new, going round; undefined: there is none but this one. */
export function nextUnread(channels: readonly Channel[], current: Id | undefined, step: 1 | -1): Channel | undefined {
  const at = channels.findIndex((channel) => channel.id === current)
  const start = at < 0 && step < 0 ? channels.length : at
  for (let n = 1; n <= channels.length; n++) {
    const channel = channels[(((start + step * n) % channels.length) + channels.length) % channels.length]
    if (channel && channel.id !== current && isUnread(channel)) return channel
  }
  return undefined
}

/** between says that a channel is a conversation of two or a few. */
export function between(channel: Pick<Channel, 'kind'> | undefined): boolean {
  return channel?.kind === 'direct' || channel?.kind === 'group'
}
