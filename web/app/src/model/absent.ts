/** The model of a page that has no client yet: nobody is signed in, and nothing can be done. */
import type { Model, Refusal } from './model.ts'

function refuse(): Promise<never> {
  const refusal: Refusal = { reason: 'client.OFFLINE', message: 'no client', field: '', retryAfterMs: 0 }
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the SDK's errors, without being one
  return Promise.reject(refusal)
}

const nothing = (): undefined => undefined

export const absentModel: Model = {
  access: { stage: () => ({ kind: 'signed-out' }), lastWorkspace: '', describe: refuse, signIn: refuse, setUp: refuse, join: refuse, reset: refuse, signOut: refuse },
  connection: () => ({ kind: 'connecting' }),
  sending: () => 0,
  reconnect: nothing,
  channels: () => [],
  ready: () => false,
  channel: nothing,
  people: () => [],
  person: nothing,
  presence: () => ({ state: 'unknown', mobile: false, emoji: '', text: '' }),
  createChannel: refuse,
  openDirect: refuse,
  browse: refuse,
  join: refuse,
  leave: refuse,
  setNotifications: refuse,
  markRead: nothing,
  profile: { update: refuse, setStatus: refuse, changePassword: refuse, devices: refuse, revoke: refuse },
  administration: { invite: refuse, invitations: refuse, withdraw: refuse, setRole: refuse, setActive: refuse, resetPassword: refuse, audit: refuse },
}
