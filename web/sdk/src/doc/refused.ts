import type { Delta } from '../ot/index.ts'
import type { ServerError } from '../errors.ts'

/** maxRefused is how many refused edits are kept; then nothing more can be typed before some are forgotten. */
export const maxRefused = 100

/** Refused is an edit that the server will not take. It is kept until it is forgotten. */
export interface Refused {
  /** For forget. */
  readonly id: number
  /** Of the content that delta edits. */
  readonly epoch: number
  readonly version: number
  readonly delta: Delta
  readonly cause: ServerError
  /** Unix milliseconds. */
  readonly at: number
  /** What its event would say, should it have taken place after all; 0n: it was not sent. */
  readonly mutation: bigint
}

/** inserted joins a delta's inserted texts, for people. */
export const inserted = (d: Delta): string =>
  d.ops
    .filter((op) => op.action === 'insert' && op.embed === null)
    .map((op) => op.text)
    .join('\n')
