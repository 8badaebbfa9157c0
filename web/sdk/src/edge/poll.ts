import type { ServerFrame } from '../proto/plenum/edge/v1/edge.ts'
import { Carrier, type Host, type Round } from './carrier.ts'
import * as fault from './fault.ts'
import { framesOf } from './http.ts'
import { pollEvery, pollWait, welcomeBy } from './limits.ts'
import type { Dialer } from './line.ts'

/**
 * polls opens lines of polls alone: each answer ends, so that it passes what holds back answers until they are whole. News come up to 100 ms later than over a
 * stream. The limit of topics is the same.
 */
export function polls(host: Host): Dialer {
  return (ear) => new Polls(host, ear)
}

class Polls extends Carrier {
  readonly transport = 'poll'

  /** Its answer counts when it is there whole. */
  protected async listen(r: Round): Promise<void> {
    const { clock } = this.host
    const wait = r.urgent ? 0 : pollWait
    if (!r.urgent) this.settle(r)
    const late = clock.after(wait + welcomeBy, () => { if (!r.stop.signal.aborted) this.end(fault.lost('a poll was not answered')) })
    const frames: ServerFrame[] = []
    try {
      for await (const frame of framesOf(await this.ask(`/edge/v1/poll?wait=${wait}`, r.message, r.stop.signal))) frames.push(frame)
    } finally {
      late()
    }
    if (r.stop.signal.aborted) return
    if (!frames.some(({ frame }) => frame?.$case === 'welcome' || frame?.$case === 'goodbye')) throw fault.garbled('it is no answer to a Hello')
    const bye = this.take(r, frames)
    if (bye !== undefined) throw fault.of(bye)
    const rest = pollEvery - (clock.now() - r.begun)
    if ((r.urgent && r.left <= 0) || rest <= 0) return
    await new Promise<void>((resolve) => {
      const done = clock.after(Math.min(rest, pollEvery), resolve)
      r.stop.signal.addEventListener('abort', () => {
        done()
        resolve()
      })
    })
  }
}
