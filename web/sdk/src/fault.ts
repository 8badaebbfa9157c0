import { ServerError } from './errors.ts'

/** Fault is a ServerError as plain data, as it is stored, and passes between pages. */
export type Fault = Pick<ServerError, 'code' | 'reason' | 'message' | 'field' | 'retryAfterMs'>

export const faultOf = ({ code, reason, message, field, retryAfterMs }: ServerError): Fault => ({ code, reason, message, field, retryAfterMs })

export const errorOf = (f: Fault) => new ServerError(f.code, f.reason, f.message, f.field, f.retryAfterMs)

/** serverError is what was thrown, as a ServerError: anything else is a fault of this program, or of its page's. */
export function serverError(thrown: unknown, code: number, reason: string): ServerError {
  return thrown instanceof ServerError ? thrown : new ServerError(code, reason, thrown instanceof Error ? thrown.message : String(thrown))
}
