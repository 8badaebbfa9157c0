/** What is said of the connection: how it stands, without what passes in a moment. */
import type { Connection } from '../model/model.ts'

/** Said is what the banner says; undefined is that all is as it should be. */
export type Said =
  | { readonly kind: 'outdated' }
  /** `seconds` until the next attempt; undefined: the device has no network. */
  | { readonly kind: 'offline'; readonly seconds: number | undefined }
  /** It was lost, and is being tried now. */
  | { readonly kind: 'trying' }
  /** For the first time, and for long. */
  | { readonly kind: 'connecting' }
  | { readonly kind: 'sending' }

/** saidOf is what to say at a time, `Date.now()`. `late`: connecting or sending has lasted for a while. */
export function saidOf(connection: Connection, sending: number, away: boolean, late: boolean, now: number): Said | undefined {
  switch (connection.kind) {
    case 'outdated':
      return { kind: 'outdated' }
    case 'offline':
      return { kind: 'offline', seconds: connection.retryAt === undefined ? undefined : Math.max(1, Math.ceil((connection.retryAt - now) / 1000)) }
    case 'connecting':
      return away ? { kind: 'trying' } : late ? { kind: 'connecting' } : undefined
    case 'online':
      return late && sending > 0 ? { kind: 'sending' } : undefined
  }
}
