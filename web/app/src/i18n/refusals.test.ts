import { expect, it } from 'vitest'
import type { Refusal } from '../model/model.ts'
import { explain } from './refusals.ts'

const refusal = (reason: string, more: Partial<Refusal> = {}): Refusal => ({ reason, message: 'The name is too long', field: '', retryAfterMs: 0, ...more })

it('says what to do', () => {
  expect(explain(refusal('identity.TOO_MANY_ATTEMPTS', { retryAfterMs: 29_400 }))).toBe('Too many attempts. Wait 30 seconds, then try again.')
  expect(explain(refusal('client.OFFLINE'))).toContain('Try again when you are online')
})

it('shows the server’s words of what it has none for, and nothing of a mistake’s', () => {
  expect(explain(refusal('chat.NAME'))).toBe('The name is too long.')
  expect(explain(new TypeError('x is undefined'))).not.toContain('undefined')
})
