import type { Group, Person } from '../proto/plenum/identity/v1/model.ts'
import type { WorkspaceEvent } from '../proto/plenum/identity/v1/event.ts'

/**
 * Directory is whom the reader may see: people, and groups with their members. It is filled by the pages of ListPeople and ListGroups, then by the events of
 * "identity.workspace/me" from the first page's cursor on; a guest's by GetPeople alone. It never changes: what comes makes another one.
 */
export interface Directory {
  readonly people: ReadonlyMap<string, Person>
  readonly groups: ReadonlyMap<string, Group>
  /** Groups that are gone, which an earlier page may still name. */
  readonly gone: ReadonlySet<string>
}

export const nobody: Directory = { people: new Map(), groups: new Map(), gone: new Set() }

/** withPeople takes over people; of two states of a person the one with the higher version holds. */
export function withPeople(d: Directory, people: readonly Person[]): Directory {
  const news = people.filter((p) => p.version > (d.people.get(p.id)?.version ?? -1))
  return news.length === 0 ? d : { ...d, people: new Map([...d.people, ...news.map((p) => [p.id, p] as const)]) }
}

/** withGroups takes over groups with their members, likewise. */
export function withGroups(d: Directory, groups: readonly Group[]): Directory {
  const news = groups.filter((g) => !d.gone.has(g.id) && g.version > (d.groups.get(g.id)?.version ?? -1))
  return news.length === 0 ? d : { ...d, groups: new Map([...d.groups, ...news.map((g) => [g.id, g] as const)]) }
}

/** groupsListed is after all pages of ListGroups, which had these: what else is known was deleted without a word to us. */
export function groupsListed(d: Directory, ids: ReadonlySet<string>): Directory {
  const groups = new Map([...d.groups].filter(([id]) => ids.has(id)))
  return groups.size === d.groups.size ? d : { ...d, groups }
}

/**
 * lacksGroup is after these events: whether one was of a group that was on no page. Pages of ListGroups are by handle, so that one that gets another handle
 * meanwhile may miss them all. ListGroups is to be asked once more.
 */
export function lacksGroup(d: Directory, events: readonly WorkspaceEvent[]): boolean {
  return events.some(({ event }) => {
    const id = event?.$case === 'groupChanged' ? event.value.group?.id : event?.$case === 'groupMembersChanged' ? event.value.groupId : undefined
    return id !== undefined && !d.groups.has(id) && !d.gone.has(id)
  })
}

/** workspaceTold applies an event; one of something unknown that doesn't say all of it waits for the page that does, see lacksGroup. */
export function workspaceTold(d: Directory, { event }: WorkspaceEvent): Directory {
  switch (event?.$case) {
    case 'personAdded':
    case 'personChanged':
    case 'roleChanged':
    case 'personDeactivated':
    case 'personReactivated':
      return event.value.person === undefined ? d : withPeople(d, [event.value.person])
    case 'groupCreated':
      return event.value.group === undefined ? d : withGroups(d, [event.value.group])
    case 'groupChanged': {
      const { group } = event.value
      const old = group && d.groups.get(group.id)
      return group === undefined || old === undefined ? d : withGroups(d, [{ ...group, members: old.members }])
    }
    case 'groupMembersChanged': {
      const { groupId, added, removed, version } = event.value
      const old = d.groups.get(groupId)
      if (old === undefined) return d
      const members = [...new Set([...old.members.filter((m) => !removed.includes(m)), ...added])].sort()
      return withGroups(d, [{ ...old, members, version }])
    }
    case 'groupDeleted': {
      const groups = new Map(d.groups)
      groups.delete(event.value.groupId)
      return { ...d, groups, gone: new Set([...d.gone, event.value.groupId]) }
    }
    default:
      return d
  }
}

/** unknown are those of the ids that aren't in the directory: ask GetPeople for them, 500 at a time. */
export function unknown(d: Directory, ids: Iterable<string>): string[] {
  return [...new Set(ids)].filter((id) => !d.people.has(id))
}

/** groupsOf are the groups that somebody is in, by which they are mentioned. */
export function groupsOf(d: Directory, user: string): ReadonlySet<string> {
  return new Set([...d.groups.values()].filter((g) => g.members.includes(user)).map((g) => g.id))
}
