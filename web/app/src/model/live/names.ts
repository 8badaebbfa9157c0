import { ChannelHistory, ChannelKind as Kind, ChannelPosting, ChannelRole as Place, NotifyLevel as Level } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { Role as Number_, type Group as ToldGroup, type Person as Told } from '@plenum/sdk/proto/plenum/identity/v1/model.ts'
import { State } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'
import type { Channel, ChannelKind, ChannelRole, Group, Id, NotifyLevel, Person, PresenceState, Role } from '../model.ts'

/** What the contract numbers, and what the screens call it. */
const roles: readonly Role[] = ['guest', 'owner', 'admin', 'member', 'guest', 'service'] // by number; what is newer may do least
const kinds: readonly ChannelKind[] = ['private', 'public', 'private', 'direct', 'group']
const levels: readonly NotifyLevel[] = ['default', 'all', 'mentions', 'none']
const places: readonly ChannelRole[] = ['none', 'member', 'moderator', 'owner']

/** done is for answers that say nothing but that it is done. */
export const done = () => undefined

export const roleName = (role: Number_): Role => roles[role] ?? 'guest'
export const roleNumber = (role: Role): Number_ => ({ owner: Number_.OWNER, admin: Number_.ADMIN, member: Number_.MEMBER, guest: Number_.GUEST, service: Number_.SERVICE })[role]
export const kindName = (kind: Kind): ChannelKind => kinds[kind] ?? 'private'
export const levelName = (level: Level): NotifyLevel => levels[level] ?? 'default'
export const levelNumber = (level: NotifyLevel): Level => levels.indexOf(level) as Level
export const channelRoleName = (role: Place | undefined): ChannelRole => places[role ?? 0] ?? 'member'
export const channelRoleNumber = (role: ChannelRole): Place => places.indexOf(role) as Place
export const postingName = (posting: ChannelPosting | undefined): Channel['posting'] => (posting === ChannelPosting.MODERATORS ? 'moderators' : 'members')
export const postingNumber = (posting: Channel['posting']) => (posting === 'moderators' ? ChannelPosting.MODERATORS : ChannelPosting.MEMBERS)
export const historyName = (history: ChannelHistory | undefined): Channel['history'] => (history === ChannelHistory.JOINED ? 'joined' : 'all')
export const historyNumber = (history: Channel['history']) => (history === 'joined' ? ChannelHistory.JOINED : ChannelHistory.ALL)

export function stateName(state: State): PresenceState {
  switch (state) {
    case State.ONLINE:
      return 'online'
    case State.AWAY:
      return 'away'
    case State.BUSY:
      return 'busy'
    case State.DO_NOT_DISTURB:
      return 'silent'
    case State.OFFLINE:
    case State.INVISIBLE:
      return 'offline'
    default:
      return 'unknown'
  }
}

/** chosenName is what somebody has chosen for themselves. */
export function chosenName(state: State): PresenceState | 'automatic' | 'invisible' {
  return state === State.INVISIBLE ? 'invisible' : state === State.UNSPECIFIED ? 'automatic' : stateName(state)
}

export function stateNumber(state: PresenceState | 'automatic' | 'invisible'): State {
  switch (state) {
    case 'online':
      return State.ONLINE
    case 'away':
      return State.AWAY
    case 'busy':
      return State.BUSY
    case 'silent':
      return State.DO_NOT_DISTURB
    case 'invisible':
    case 'offline':
      return State.INVISIBLE
    default:
      return State.UNSPECIFIED
  }
}

export function personOf({ id, handle, displayName, role, title, deactivated }: Told): Person {
  return { id, handle, name: displayName, role: roleName(role), title, deactivated }
}

export function groupOf({ id, handle, name, members }: ToldGroup, me: Id): Group {
  return { id, handle, name, members: members.length, mine: members.includes(me) }
}
