import { ServerMessage } from '../proto/plenum/edge/v1/edge.ts'
import { base64 } from '../refusal.ts'
import { Carrier, type Host, type Round } from './carrier.ts'
import * as fault from './fault.ts'
import { chunks } from './http.ts'
import { readLimit, welcomeBy } from './limits.ts'
import type { Dialer } from './line.ts'

/**
 * serverSentEvents opens lines over which what the server says comes as one long answer, and calls go by polls. They follow 64 topics with their events; what
 * is more gets 342.
 */
export function serverSentEvents(host: Host): Dialer {
  return (ear) => new Stream(host, ear)
}

/** Of one message in base64. */
const longest = Math.ceil(readLimit / 3) * 4

class Stream extends Carrier {
  readonly transport = 'sse'

  protected async listen(r: Round): Promise<void> {
    const { clock } = this.host
    // What accepts a request and then says nothing is no better than what refuses it.
    const cancel = clock.after(welcomeBy, () => { if (!r.stop.signal.aborted) this.end(fault.lost('no Welcome came')) })
    try {
      for await (const event of eventsOf(await this.ask('/edge/v1/sse', r.message, r.stop.signal))) {
        if (r.stop.signal.aborted) return
        if (event === '') {
          this.pass([]) // a sign of life
          continue
        }
        cancel()
        const bye = this.take(r, read(event))
        if (bye !== undefined) throw fault.of(bye)
      }
    } finally {
      cancel()
    }
    const { over } = r
    if (over === undefined) throw fault.lost('the stream broke off')
    await new Promise<void>((resolve) => {
      const done = clock.after(over, resolve)
      r.stop.signal.addEventListener('abort', () => {
        done()
        resolve()
      })
    })
  }
}

function read(event: string) {
  try {
    return ServerMessage.decode(base64(event)).frames
  } catch (e) {
    throw fault.garbled(String(e))
  }
}

/** eventsOf are the data of a stream's events as they come; '' is a comment. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let data = ''
  for await (const chunk of chunks(body)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length + data.length > 2 * longest) throw fault.garbled(`an event is longer than ${longest} bytes`)
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended
      if (line.startsWith(':')) {
        yield ''
      } else if (line.startsWith('data:')) {
        data += line.slice(5).trim() // one line in practice: a message is one value of base64
      } else if (line === '' && data !== '') {
        yield data
        data = ''
      }
    }
  }
}
