/** What a refusal is in words. */
import type { Refusal } from '../model/model.ts'
import { text } from './en.ts'

/** isRefusal tells refusals from mistakes of the program. */
export function isRefusal(error: unknown): error is Refusal {
  return typeof error === 'object' && error !== null && 'reason' in error && typeof error.reason === 'string'
}

/** explain is why something was not done, and what to do. */
export function explain(error: unknown): string {
  const t = text().refusal
  if (!isRefusal(error)) return t.unknown('')
  switch (error.reason) {
    case 'client.OFFLINE':
      return t.offline
    case 'client.OUTBOX_FULL':
      return t.outboxFull
    case 'client.NOT_KEPT':
      return t.notKept
    case 'identity.SIGN_IN':
      return t.signIn
    case 'identity.LINK':
      return t.link
    case 'identity.SLUG_TAKEN':
      return t.slug
    case 'identity.HANDLE_TAKEN':
      return t.handle
    case 'identity.TOO_MANY_ATTEMPTS':
      return t.attempts(Math.max(1, Math.ceil(error.retryAfterMs / 1000)))
    case 'identity.BUSY':
      return t.busy
    case 'identity.FORBIDDEN':
    case 'chat.FORBIDDEN':
      return t.permission
    default:
      return t.unknown(error.message.replace(/\.$/, ''))
  }
}
