import { Mode, type ClientFrame, type Cursor, type Events, type Subscribe, type Want } from '../proto/plenum/edge/v1/edge.ts'
import { maxWants } from './limits.ts'

/** Wanted is a topic that is followed by requests. */
export interface Wanted {
  /** Its cursor is how far the session was told. */
  readonly want: Want
  /** Of the session's Subscribe. */
  readonly id: number
  /** The session knows that it has begun. */
  told: boolean
}

/** Wants is what is followed, in the order in which the session said it: where there are too many, the first ones stay. */
export class Wants extends Map<string, Wanted> {
  add({ id, wants }: Subscribe): void {
    for (const want of wants) {
      this.delete(want.topic)
      this.set(want.topic, { want: { ...want }, id, told: false })
    }
  }

  /** frames says all of it. */
  frames(): ClientFrame[] {
    const all = [...this.values()].map(({ want }) => want)
    const frames: ClientFrame[] = []
    for (let i = 0; i < all.length; i += maxWants) {
      frames.push({ frame: { $case: 'subscribe', value: { id: frames.length + 1, wants: all.slice(i, i + maxWants) } } })
    }
    return frames
  }
}

/** isList says whether what begins so is a list of heads. */
export function isList({ want }: Wanted, start: Cursor | undefined, head: Cursor | undefined): boolean {
  return start !== undefined && (want.mode === Mode.HEADS || head === undefined)
}

/** reach notes how far events go. Where they leave a hole the session subscribes anew. */
export function reach({ want }: Wanted, m: Events): void {
  const upto = Math.max(m.upto, m.events.at(-1)?.offset ?? 0)
  if (upto > (want.cursor?.offset ?? 0)) want.cursor = { epoch: want.cursor?.epoch ?? 0, offset: upto }
}
