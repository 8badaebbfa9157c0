import { ServerError } from '@plenum/sdk'

/** What a call that was under way fails with as its session ends: the page says so itself. */
const over: ReadonlySet<string> = new Set(['identity.SESSION_ENDED', 'client.CLOSED'])

/** warn tells the console what failed in the background. */
export function warn(cause: unknown): undefined {
  if (!(cause instanceof ServerError && over.has(cause.reason))) console.warn(cause)
}
