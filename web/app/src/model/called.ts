/** Who and what is meant by a name in a text. */
import { createMemo, createRoot, type Accessor } from 'solid-js'
import type { Channel, Group, Id, Model, Person } from './model.ts'

/** keyed finds one of a list by its key. Of each list an index is made once, however many messages ask. */
export function keyed<T>(key: (one: T) => string): (list: readonly T[], by: string) => T | undefined {
  const made = new WeakMap<readonly T[], ReadonlyMap<string, T>>()
  return (list, by) => {
    let index = made.get(list)
    if (index === undefined) made.set(list, (index = new Map(list.map((one) => [key(one), one]))))
    return index.get(by)
  }
}

const people = keyed<Person>(({ handle }) => handle)
const groups = keyed<Group>(({ handle }) => handle)
const groupsById = keyed<Group>(({ id }) => id)

/** personCalled is who has a handle; undefined: nobody who is known. */
export function personCalled(model: Model, handle: string): Person | undefined {
  return people(model.people(), handle)
}

/** groupCalled is the group that has a handle; undefined: none that is known. */
export function groupCalled(model: Model, handle: string): Group | undefined {
  return groups(model.groups(), handle)
}

/** groupKnown is a group by its id; undefined: it isn't known, or not yet. */
export function groupKnown(model: Model, id: Id): Group | undefined {
  return groupsById(model.groups(), id)
}

/** folded is a channel's name as the service keeps and compares it: NFC, and each letter by itself in lower case. */
export function folded(name: string): string {
  if (/^[\0-\x7f]*$/.test(name)) return name.toLowerCase()
  return Array.from(name.normalize('NFC'), (letter) => String.fromCodePoint(letter.toLowerCase().codePointAt(0) ?? 0)).join('')
}

type Ids = ReadonlyMap<string, Id>

/** namedIn are channels' ids by their names; the same map as before where none has come, gone or got another name. */
export function namedIn(channels: readonly Channel[], before: Ids): Ids {
  let n = 0
  const same = channels.every(({ id, name }) => name === '' || (++n && before.get(name) === id)) && n === before.size
  return same ? before : new Map(channels.flatMap(({ id, name }) => (name === '' ? [] : [[name, id] as const])))
}

/** Of each model one, for as long as it lives: messages are told when a name changes, and not of all that moves in channels. */
const channelIds = new WeakMap<Model, Accessor<Ids>>()

/** channelCalled is the channel of the account's that has a name, however its case is; undefined: none. */
export function channelCalled(model: Model, name: string): Id | undefined {
  let ids = channelIds.get(model)
  if (ids === undefined) {
    ids = createRoot(() => createMemo<Ids>((before) => namedIn(model.channels(), before), new Map()), null)
    channelIds.set(model, ids)
  }
  return ids().get(folded(name))
}
