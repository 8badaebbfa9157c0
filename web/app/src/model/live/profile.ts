import type { Session } from '@plenum/sdk'
import * as people from '@plenum/sdk/proto/plenum/identity/v1/people.methods.ts'
import { getStatus, setStatus } from '@plenum/sdk/proto/plenum/presence/v1/presence.methods.ts'
import type { Profile, Status } from '../model.ts'
import { chosenName, done, stateNumber } from './names.ts'

/** profileOf is what settings change of the account's own, over the session. `said` is told what status was chosen. */
export function profileOf(session: () => Session, me: () => string, said: (status: Status) => void): Profile {
  return {
    update: ({ name, title }) => session().call(people.updateProfile, { displayName: name, title }).then(done),
    setStatus: async (status) => {
      const { state, emoji, text, until } = status
      const custom = emoji === '' && text === '' ? {} : { custom: { emoji, text } }
      await session().call(setStatus, { user: me(), state: stateNumber(state), untilMs: until ?? 0, ...custom })
      said(status)
    },
    status: async () => {
      const { chosen, custom, untilMs } = await session().call(getStatus, { user: me() })
      return { state: chosenName(chosen), emoji: custom?.emoji ?? '', text: custom?.text ?? '', until: untilMs === 0 ? undefined : untilMs }
    },
    changePassword: (current, password) => session().call(people.changePassword, { current, password }).then(done),
    devices: async () => {
      const { devices } = await session().call(people.listDevices, {})
      return devices.map((d) => ({ id: d.id, name: d.name, agent: d.agent, seen: d.seenMs, current: d.current }))
    },
    revoke: (deviceId) => session().call(people.revokeDevice, { deviceId, wipe: true }).then(done),
  }
}
