import type { Session } from '@plenum/sdk'
import * as people from '@plenum/sdk/proto/plenum/identity/v1/people.methods.ts'
import { setStatus } from '@plenum/sdk/proto/plenum/presence/v1/presence.methods.ts'
import type { Profile } from '../model.ts'
import type { Chosen } from './chosen.ts'
import { done, stateNumber } from './names.ts'

/** profileOf is what settings change of the account's own, over the session. `chosen` knows what status was chosen. */
export function profileOf(session: () => Session, me: () => string, chosen: () => Chosen | undefined): Profile {
  return {
    update: ({ name, title }) => session().call(people.updateProfile, { displayName: name, title }).then(done),
    setStatus: async (status) => {
      const { state, emoji, text, until } = status
      const custom = emoji === '' && text === '' ? {} : { custom: { emoji, text } }
      await session().call(setStatus, { user: me(), state: stateNumber(state), untilMs: until ?? 0, ...custom })
      chosen()?.set(status)
    },
    status: async () => {
      const there = chosen()
      if (there === undefined) throw new Error('nobody is signed in')
      return there.ask()
    },
    changePassword: (current, password) => session().call(people.changePassword, { current, password }).then(done),
    devices: async () => {
      const { devices } = await session().call(people.listDevices, {})
      return devices.map((d) => ({ id: d.id, name: d.name, agent: d.agent, seen: d.seenMs, current: d.current }))
    },
    revoke: (deviceId) => session().call(people.revokeDevice, { deviceId, wipe: true }).then(done),
  }
}
