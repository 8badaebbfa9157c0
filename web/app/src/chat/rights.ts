/** What somebody may do in a channel, so that nothing is offered that would be refused. The service decides. */
import { createMemo, type Accessor } from 'solid-js'
import { account, useModel } from '../model/context.ts'
import type { Channel, Model } from '../model/model.ts'

/** Who asks. */
export interface Asking {
  readonly permissions: ReadonlySet<string>
  readonly guest: boolean
}

export interface Rights {
  /** Name, topic, purpose, and who may post. */
  readonly change: boolean
  readonly archive: boolean
  readonly add: boolean
  /** Members; and moderators and owners as well. */
  readonly remove: boolean
  readonly removeAll: boolean
  readonly setRoles: boolean
  readonly leave: boolean
  /** Write to all, not in a thread alone. */
  readonly post: boolean
  readonly pin: boolean
  readonly deleteOthers: boolean
  /** Mention all who are in it. */
  readonly mentionAll: boolean
}

/** rights are those of who asks, in a channel that they are in: as the roles of plenum/chat/v1 and the permissions of the token say. */
export function rights({ kind, role, archived, posting }: Pick<Channel, 'kind' | 'role' | 'archived' | 'posting'>, { permissions, guest }: Asking): Rights {
  const named = kind === 'public' || kind === 'private' // conversations have neither names nor roles, and their people stay
  const live = !archived
  const manages = permissions.has('chat.manage_channels')
  const owns = role === 'owner' || manages
  const moderates = role === 'moderator' || owns
  const posts = live && permissions.has('chat.post')
  return {
    change: named && live && moderates,
    archive: named && owns,
    add: named && live && (moderates || !guest),
    remove: named && live && moderates,
    removeAll: named && live && owns,
    setRoles: named && live && owns,
    leave: named,
    post: posts && (posting === 'members' || role === 'moderator' || role === 'owner'),
    pin: posts,
    mentionAll: posts && (role === 'moderator' || role === 'owner' || permissions.has('chat.mention_all')),
    deleteOthers: named && live && (role === 'moderator' || role === 'owner' || permissions.has('chat.delete_others')),
  }
}

const same = (a: Rights | undefined, b: Rights | undefined) => a === b || (a !== undefined && b !== undefined && (Object.keys(a) as (keyof Rights)[]).every((right) => a[right] === b[right]))

/** useRights are the account's in a channel. They tell when one of them changes, and not with every message that is read: a menu that is open stays. */
export function useRights(channel: () => Channel | undefined): Accessor<Rights | undefined> {
  const model = useModel()
  return createMemo(() => rightsOf(model, channel()), undefined, { equals: same })
}

/** rightsOf are the account's in a channel now. */
export function rightsOf(model: Model, channel: Channel | undefined): Rights | undefined {
  const who = account(model)
  return channel && rights(channel, { permissions: who?.permissions ?? new Set(), guest: model.person(who?.me ?? '')?.role === 'guest' })
}
