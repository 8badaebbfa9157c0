import { text as core } from '../i18n/en.ts'
import type { AuditEntry, Role } from '../model/model.ts'
import { text } from './text.ts'

type Action = keyof ReturnType<typeof text>['audit']['actions']

/** auditWords says in words what an entry of the audit log tells; of an action that is newer than we are, its own name. */
export function auditWords({ action, detail }: AuditEntry): string {
  const said = (key: string) => (typeof detail[key] === 'string' ? detail[key] : '')
  if (action === 'role.changed' && said('from') !== '' && said('to') !== '') return text().audit.roleChanged(roleWords(said('from')), roleWords(said('to')))
  if (action === 'workspace.renamed' && said('name') !== '') return text().audit.workspaceRenamed(said('name'))
  if (action.startsWith('refused.')) return text().audit.refused
  const name = action.replace('.', '_')
  return name in text().audit.actions ? text().audit.actions[name as Action] : action
}

/** auditTarget is whom or what it was done to, as far as that has a name: people by theirs, others by what the entry calls them. */
export function auditTarget({ target, detail }: AuditEntry): string {
  if (target !== '') return target
  for (const key of ['handle', 'first']) if (typeof detail[key] === 'string' && detail[key] !== '') return `@${detail[key]}`
  return text().audit.nobody
}

function roleWords(role: string): string {
  const roles = core().role
  return role in roles ? roles[role as Role] : role
}
