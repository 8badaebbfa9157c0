/** What the list of a channel's people shows. */
import { compare } from '../../i18n/format.ts'
import type { ChannelRole, Person } from '../../model/model.ts'
import { fold } from '../../shell/palette/fuzzy.ts'
import type { Member } from '../beside.ts'
import type { Rights } from '../rights.ts'

const order: Readonly<Record<ChannelRole, number>> = { owner: 0, moderator: 1, member: 2, none: 3 }

/** listed are members whose name or handle has the words, owners and moderators first, then by name. */
export function listed(members: readonly Member[], words: string, person: (id: string) => Person | undefined): readonly Member[] {
  const want = fold(words.trim())
  const named = members.map((member) => ({ member, name: person(member.id)?.name ?? member.id, handle: person(member.id)?.handle ?? '' }))
  return named
    .filter(({ name, handle }) => want === '' || fold(name).includes(want) || handle.includes(want))
    .sort((a, b) => order[a.member.role] - order[b.member.role] || compare(a.name, b.name))
    .map(({ member }) => member)
}

/** mayRemove says that a member may be put out; oneself one doesn't: one leaves. */
export function mayRemove(rights: Rights | undefined, member: Member, me: string | undefined): boolean {
  return member.id !== me && (rights?.removeAll === true || (rights?.remove === true && member.role === 'member'))
}

/** rolesFor are the roles that a member may be given. */
export function rolesFor(rights: Rights | undefined, member: Member): readonly Exclude<ChannelRole, 'none'>[] {
  return rights?.setRoles && !member.guest ? ['owner', 'moderator', 'member'] : []
}
