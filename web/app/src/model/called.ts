/** Who is meant by a name in a text. */
import type { Group, Id, Model, Person } from './model.ts'

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
