import { expect, test } from 'vitest'
import { message } from '../method.ts'
import { WorkspaceEvent } from '../proto/plenum/identity/v1/event.ts'
import { Group, Person } from '../proto/plenum/identity/v1/model.ts'
import { foldText, wordsOf } from './fold.ts'
import { groupsOf, nobody, unknown, withGroups, withPeople, workspaceTold } from './people.ts'

const person = (id: string, version: number, fields: Partial<Person> = {}) => message(Person, { id, version, handle: id, displayName: id, ...fields })
const group = (version: number, members: string[], fields: Partial<Group> = {}) => message(Group, { id: 'g', version, handle: 'team', name: 'The team', members, ...fields })
const told = (event: NonNullable<WorkspaceEvent['event']>) => message(WorkspaceEvent, { event })

test('the higher version holds, whatever comes first', () => {
  let d = withPeople(nobody, [person('ada', 2), person('bob', 1)])
  d = workspaceTold(d, told({ $case: 'personChanged', value: { person: person('ada', 1, { displayName: 'old' }), previousHandle: '' } }))
  expect(d.people.get('ada')?.displayName).toBe('ada')
  expect(withPeople(d, [person('ada', 2)])).toBe(d)
  d = workspaceTold(d, told({ $case: 'personDeactivated', value: { person: person('bob', 2, { deactivated: true }) } }))
  expect(d.people.get('bob')?.deactivated).toBe(true)
  expect(unknown(d, ['ada', 'cyd', 'cyd'])).toEqual(['cyd'])
})

test('groups keep their members where an event does not tell them, and stay gone', () => {
  let d = withGroups(nobody, [group(1, ['ada'])])
  d = workspaceTold(d, told({ $case: 'groupChanged', value: { group: group(2, [], { name: 'Renamed' }), previousHandle: '' } }))
  d = workspaceTold(d, told({ $case: 'groupMembersChanged', value: { groupId: 'g', added: ['cyd', 'bob'], removed: ['ada'], version: 3 } }))
  expect(d.groups.get('g')).toMatchObject({ name: 'Renamed', members: ['bob', 'cyd'], version: 3 })
  d = workspaceTold(d, told({ $case: 'groupMembersChanged', value: { groupId: 'g', added: ['ada'], removed: [], version: 2 } }))
  expect([...groupsOf(d, 'ada')]).toEqual([])
  expect([...groupsOf(d, 'bob')]).toEqual(['g'])
  d = workspaceTold(d, told({ $case: 'groupDeleted', value: { groupId: 'g' } }))
  expect(withGroups(d, [group(9, ['ada'])]).groups.size).toBe(0)
  expect(workspaceTold(nobody, told({ $case: 'groupChanged', value: { group: group(2, []), previousHandle: '' } }))).toBe(nobody)
})

test('texts fold without case and accents', () => {
  expect(foldText('Ångström, GROẞ ﬁn')).toBe('angstrom, gross fin')
  expect(wordsOf(foldText("L'été: x_1-y"))).toEqual(['l', 'ete', 'x', '1', 'y'])
})
