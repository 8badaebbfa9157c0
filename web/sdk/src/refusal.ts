import { backoffMax } from './edge/limits.ts'
import { Code, ServerError } from './errors.ts'
import { Error as Fault } from './proto/plenum/edge/v1/edge.ts'

/**
 * refusal is what an HTTP answer says that is not as it should be: the error of the Connect protocol (PROTOCOL.md §3), whose detail is Plenum's own. Where
 * something else answered, it is 200 `client.AWAY`, as from what stands before a server that is not there, or 200 `client.HTTP_STATUS`; both may be gone soon.
 */
export function refusal(response: Response, body: string): ServerError {
  try {
    const { details = [] } = JSON.parse(body) as { details?: { type?: string; value?: string }[] }
    const detail = details.find(({ type }) => type === 'plenum.edge.v1.Error')
    if (detail?.value !== undefined) return ServerError.of(Fault.decode(base64(detail.value)))
  } catch {
    // It is no such error.
  }
  const { status, headers } = response
  const wait = Math.min(Number(headers.get('Retry-After')) * 1000 || 0, backoffMax) // a date is no number
  const away = status >= 502 && status <= 504
  return new ServerError(Code.UNAVAILABLE, away ? 'client.AWAY' : 'client.HTTP_STATUS', `The server answered ${status}. Is it a Plenum server?`, '', Math.max(0, wait))
}

/** base64 decodes it with padding or without; it throws where the text is none. */
export function base64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}
