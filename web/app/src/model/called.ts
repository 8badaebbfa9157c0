/** Who is meant by a name in a text. */
import type { Model, Person } from './model.ts'

/** keyed finds one of a list by its key. Of each list an index is made once, however many messages ask. */
function keyed<T>(key: (one: T) => string): (list: readonly T[], by: string) => T | undefined {
  const made = new WeakMap<readonly T[], ReadonlyMap<string, T>>()
  return (list, by) => {
    let index = made.get(list)
    if (index === undefined) made.set(list, (index = new Map(list.map((one) => [key(one), one]))))
    return index.get(by)
  }
}

const people = keyed<Person>(({ handle }) => handle)

/** personCalled is who has a handle; undefined: nobody who is known. */
export function personCalled(model: Model, handle: string): Person | undefined {
  return people(model.people(), handle)
}
