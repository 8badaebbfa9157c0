import { Code } from './proto/plenum/edge/v1/code.ts'
import type { Error as Fault } from './proto/plenum/edge/v1/edge.ts'

/** ServerError is what the server answered, or what the client says in its place (`reason` begins with "client."). PROTOCOL.md §12 has the numbers. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: number
  readonly reason: string
  /** Which part of a request is meant; '': no single one. */
  readonly field: string
  /** Not before so many milliseconds; 0: as the code says. */
  readonly retryAfterMs: number

  constructor(code: number, reason: string, message: string, field = '', retryAfterMs = 0) {
    super(message)
    this.code = code
    this.reason = reason
    this.field = field
    this.retryAfterMs = retryAfterMs
  }

  static of(f: Fault): ServerError {
    return new ServerError(f.code, f.reason, f.message, f.field, f.retryAfterMs)
  }

  /** repeatable says that the same request may be sent again, with the same client_seq. */
  get repeatable(): boolean {
    return this.code >= 200 && this.code < 300
  }
}

export { Code }
