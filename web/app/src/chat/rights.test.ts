import { expect, it } from 'vitest'
import type { Channel } from '../model/model.ts'
import { rights, type Asking, type Rights } from './rights.ts'

const channel = (more: Partial<Channel> = {}) => ({ kind: 'public', role: 'member', archived: false, posting: 'members', ...more }) as const satisfies Pick<Channel, 'kind' | 'role' | 'archived' | 'posting'>
const who = (more: Partial<Asking> = {}, ...permissions: string[]): Asking => ({ permissions: new Set(['chat.post', ...permissions]), guest: false, ...more })
const held = (all: Rights) => (Object.keys(all) as (keyof Rights)[]).filter((right) => all[right]).join(' ')

it('gives each role what it may do', () => {
  expect(held(rights(channel(), who()))).toBe('add leave post pin')
  expect(held(rights(channel({ role: 'moderator' }), who()))).toBe('change add remove leave post pin mentionAll deleteOthers')
  expect(held(rights(channel({ role: 'owner' }), who()))).toBe('change archive add remove removeAll setRoles leave post pin mentionAll deleteOthers')
  expect(held(rights(channel(), who({ guest: true })))).toBe('leave post pin')
  expect(held(rights(channel(), who({}, 'chat.manage_channels')))).toBe('change archive add remove removeAll setRoles leave post pin')
  expect(held(rights(channel(), who({}, 'chat.delete_others')))).toBe('add leave post pin deleteOthers')
  expect(held(rights(channel(), who({}, 'chat.mention_all')))).toBe('add leave post pin mentionAll')
})

it('leaves nothing but the way back of an archived channel, and no roles to conversations', () => {
  expect(held(rights(channel({ role: 'owner', archived: true }), who()))).toBe('archive leave')
  expect(held(rights(channel({ kind: 'direct', role: 'none' }), who({}, 'chat.manage_channels', 'chat.delete_others', 'chat.mention_all')))).toBe('post pin mentionAll')
  expect(held(rights(channel({ kind: 'group', role: 'none' }), who()))).toBe('post pin')
})

it('knows who may write where moderators do', () => {
  expect(rights(channel({ posting: 'moderators' }), who()).post).toBe(false)
  expect(rights(channel({ posting: 'moderators' }), who({}, 'chat.manage_channels')).post).toBe(false)
  expect(rights(channel({ posting: 'moderators', role: 'moderator' }), who()).post).toBe(true)
  expect(rights(channel(), { permissions: new Set(), guest: false }).post).toBe(false)
})
