import type { ServerError } from '../errors.ts'
import type { ClientFrame, ServerFrame } from '../proto/plenum/edge/v1/edge.ts'
import type { Transport } from '../session.ts'

/** Line is one connection to a gateway, whatever carries it. */
export interface Line {
  readonly transport: Transport
  /** Bytes that wait to be sent. */
  readonly waiting: number
  /** send sends frames, in their order, in as many messages as it takes. Hello is the first. After the end it does nothing. */
  send(frames: readonly ClientFrame[]): void
  /** close ends it at once. Nothing is told behind that. */
  close(): void
}

/** Ear hears what comes over a line. It is told nothing before `Dialer` has returned. */
export interface Ear {
  /** Frames may be sent: told once, and before anything else but `closed`. */
  opened(): void
  /** What came, in order; without frames it is a sign of life. */
  heard(frames: readonly ServerFrame[]): void
  /**
   * The line has ended, and why; told once, at last. The code is that of Goodbye, of the close frame, 4000 where there was none, or 200 where the server
   * was not reached.
   */
  closed(why: ServerError): void
}

/** Dialer begins to open a line. */
export type Dialer = (ear: Ear) => Line
