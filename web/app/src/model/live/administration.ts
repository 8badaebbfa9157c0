import type { Session } from '@plenum/sdk'
import * as admin from '@plenum/sdk/proto/plenum/identity/v1/admin.methods.ts'
import type { Administration, Invitation, Page, AuditEntry } from '../model.ts'
import { done, roleName, roleNumber } from './names.ts'

const week = 7 * 86_400_000
const page = 50

/** administrationOf is what owners and administrators do, over the session. `name` is what somebody is called; undefined: it isn't a person who is known. */
export function administrationOf(session: () => Session, name: (id: string) => string | undefined): Administration {
  const link = (kind: string, secret: string) => `${location.origin}/#${kind}=${secret}`
  return {
    invite: async (role, note) => link('join', (await session().call(admin.invite, { role: roleNumber(role), note, ttlMs: week })).secret),
    invitations: async (from): Promise<Page<Invitation>> => {
      const { invitations, next } = await session().call(admin.listInvitations, { page: from, limit: page })
      const now = Date.now()
      const state = (i: (typeof invitations)[number]) => (i.usedBy !== '' ? 'used' : i.revokedMs > 0 ? 'revoked' : i.expiresMs < now ? 'expired' : 'open')
      return { items: invitations.map((i) => ({ id: i.id, role: roleName(i.role), note: i.note, by: i.createdBy, expires: i.expiresMs, state: state(i) })), next }
    },
    withdraw: (invitationId) => session().call(admin.revokeInvitation, { invitationId }).then(done),
    setRole: (userId, role) => session().call(admin.changeRole, { userId, role: roleNumber(role) }).then(done),
    setActive: (userId, active) => session().call(admin.setActive, { userId, active }).then(done),
    resetPassword: async (userId) => link('reset', (await session().call(admin.resetPassword, { userId })).secret),
    audit: async (from): Promise<Page<AuditEntry>> => {
      const { entries } = await session().call(admin.listAudit, { before: Number(from), limit: page })
      const last = entries.at(-1)?.seq ?? 0
      return { items: entries.map((e) => ({ seq: e.seq, time: e.timeMs, action: e.action, actor: name(e.actorId) ?? e.actor, target: name(e.targetId) ?? '', targetId: e.targetId || e.target, detail: detailOf(e.detail) })), next: entries.length === page && last > 1 ? String(last) : '' }
    },
  }
}

/** detailOf reads the JSON of an entry; '' where its person was erased. */
function detailOf(json: string): Readonly<Record<string, unknown>> {
  try {
    const detail: unknown = JSON.parse(json)
    return typeof detail === 'object' && detail !== null ? (detail as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
