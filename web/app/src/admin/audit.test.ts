import { expect, it } from 'vitest'
import type { AuditEntry } from '../model/model.ts'
import { auditTarget, auditWords } from './audit.ts'
import { en } from './text.ts'

const entry = (action: string, detail: Record<string, unknown> = {}, target = ''): AuditEntry => ({ seq: 1, time: 0, action, actor: '', target, targetId: 'A7', detail })

/** The actions that the service writes: their names are append-only. */
const written = Object.values(import.meta.glob<string>('../../../../services/identity/*.go', { eager: true, query: '?raw', import: 'default' }))
  .flatMap((go) => [...go.matchAll(/(?:audit\((?:w\.ID, now, |workspace, now, |p\.Workspace, now, |"", now, )?|set\(c, )"([a-z_]+(?:\.[a-z_]+)*)"/g)].map(([, action]) => action ?? ''))

it('has words for every action', () => {
  expect(new Set(written).size).toBeGreaterThan(20)
  expect(written.filter((action) => !(action.replace('.', '_') in en.audit.actions))).toEqual([])
})

it('says roles and names in words', () => {
  expect(auditWords(entry('role.changed', { from: 'member', to: 'admin' }))).toBe('Changed a role from Member to Administrator')
  expect(auditWords(entry('workspace.renamed', { name: 'Acme' }))).toBe('Renamed the workspace to “Acme”')
  expect(auditWords(entry('refused.mesh.TOKEN'))).toBe(en.audit.refused)
  expect(auditWords(entry('newer.thing'))).toBe('newer.thing')
})

it('shows no ids', () => {
  expect(auditTarget(entry('device.revoked'))).toBe('–')
  expect(auditTarget(entry('group.changed', { handle: 'support' }))).toBe('@support')
  expect(auditTarget(entry('role.changed', { handle: 'ada' }, 'Ada Lovelace'))).toBe('Ada Lovelace')
})
