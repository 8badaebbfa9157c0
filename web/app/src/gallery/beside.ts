/** What is beside the channels of the gallery. */
import { message, ServerError } from '@plenum/sdk'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { createSignal } from 'solid-js'
import type { Beside, Member } from '../chat/beside.ts'
import { names, type Name } from '../model/sample.ts'

const hour = 3_600_000 // ms

const roles: Readonly<Partial<Record<Name, Member['role']>>> = { ines: 'owner', lucia: 'moderator' }
const people: readonly Member[] = (Object.keys(names) as Name[]).slice(0, -1).map((id) => ({ id, role: roles[id] ?? 'member', guest: false }))

const pinned = [
  message(Message, { offset: 1, author: 'lucia', timeMs: Date.now() - 23 * hour, pinned: true, text: 'New tokens are in. The neutrals lean towards spruce now instead of grey, so that white sheets look like paper on a desk rather than like holes in it.' }),
  message(Message, { offset: 4, author: 'amara', timeMs: Date.now() - 50 * hour, pinned: true, text: 'Guidelines, until further notice:\n\n- One accent, and it means *press here*.\n- Motion under 200 ms, or none.\n- If two people ask, it is a bug.' }),
]

/** sampleBeside takes all changes but a name that is taken: "random". */
export function sampleBeside(channel: string, empty: boolean): Beside {
  const [members, setMembers] = createSignal<readonly Member[]>(empty ? people.slice(0, 1) : people)
  const [pins, setPins] = createSignal(empty || channel !== 'design' ? [] : pinned)
  const done = () => Promise.resolve()
  return {
    channel,
    members,
    moreMembers: () => false,
    readMembers: done,
    pins,
    looking: () => (empty || channel === 'random' ? { people: [], count: 0 } : { people: ['tomas', 'amara', 'lucia', 'wei'], count: 4 }),
    update: ({ name }) => (name === 'random' ? Promise.reject(new ServerError(105, 'chat.NAME_TAKEN', 'There is a channel of this name')) : done()),
    archive: done,
    add: (ids) => {
      setMembers([...members(), ...ids.map((id): Member => ({ id, role: 'member', guest: false }))])
      return done()
    },
    remove: (id) => {
      setMembers(members().filter((member) => member.id !== id))
      return done()
    },
    setRole: (id, role) => {
      setMembers(members().map((member) => (member.id === id ? { ...member, role } : member)))
      return done()
    },
    pin: (offset) => {
      setPins(pins().filter((pin) => pin.offset !== offset))
      return done()
    },
  }
}
