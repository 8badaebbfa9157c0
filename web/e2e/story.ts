/**
 * The days that screenshots tell of. A workspace is filled within seconds, and each run at another time: for the eye what was said is spread over two days,
 * always the same, and so is the time that it is.
 */
import type { BrowserContext } from '@playwright/test'
import { chat } from './app.ts'
import type { Person } from './people.ts'

/** When the pictures are taken: a Thursday, as the browser's clock has it. */
const now = new Date('2027-03-04T10:42:00+01:00')

const minute = 60_000 // ms
const begins = 8 * 60 + 20 // of a day, in minutes; what comes earlier was said the evening before
const ends = 18 * 60 + 5

/** How many minutes before `now` the last words of a channel were said; of the others it was some while ago. */
const lately: Readonly<Record<string, number>> = { telescope: 2, kitchen: 11, general: 17, visitors: 31, '': 44 }
const long = 18 * 60

/** How many minutes lie between two messages, over and over. */
const pauses = [2, 9, 1, 34, 3, 6, 71, 1, 4, 26, 12]

/** Story has the time that is told for each one that is true; what has none is as long ago as it is. All are Unix ms. */
export interface Story {
  readonly told: readonly (readonly [number, number])[]
  readonly begun: number
  readonly now: number
}

/** storyOf reads what was said where a person is. */
export async function storyOf(person: Person): Promise<Story> {
  const told: [number, number][] = []
  const { channels } = (await person.call(`${chat}/ListMyChannels`, {})) as { channels: { channel: { id: string; name?: string } }[] }
  for (const { channel } of channels) {
    let at = now.getTime() - (lately[channel.name ?? ''] ?? long) * minute
    for (const [n, ms] of (await timesOf(person, channel.id)).entries()) {
      told.push([ms, at])
      at = awake(at - (pauses[n % pauses.length] ?? 1) * minute)
    }
  }
  return { told, begun: Date.now(), now: now.getTime() }
}

/** timesOf are the times of all messages of a channel and its threads, the last one first. */
async function timesOf(person: Person, channel: string): Promise<readonly number[]> {
  interface Told { offset: string; timeMs: string; thread?: { replies: number } }
  const read = async (root: string) => ((await person.call(`${chat}/History`, { channel, root, limit: 100 })) as { messages: Told[] }).messages
  const said = await read('0')
  for (const { offset } of said.filter(({ thread }) => thread !== undefined)) said.push(...(await read(offset)))
  return [...new Set(said.map(({ timeMs }) => Number(timeMs)))].sort((a, b) => b - a)
}

/** awake is a time, or the evening before where it is at night. */
function awake(ms: number): number {
  const day = new Date(ms)
  const minutes = day.getUTCHours() * 60 + 60 + day.getUTCMinutes() // in Berlin, in winter
  if (minutes >= begins && minutes <= ends) return ms
  return ms - (minutes - ends + (minutes < begins ? 24 * 60 : 0)) * minute
}

/** tell has pages that come into a context hear the told times from the session. It comes before somebody signs in, so that none else is kept. */
export async function tell(context: BrowserContext, story: Story): Promise<void> {
  await context.addInitScript(({ told, begun, now }) => {
    const times = new Map(told)
    const day = 86_400_000
    const tellOf = (ms: number) => times.get(ms) ?? (ms > begun - day && ms < begun + 90 * day ? ms - begun + now : ms)

    /** bytes rewrites varints, which all take six bytes. */
    const bytes = (b: Uint8Array) => {
      for (let i = 0; i + 6 <= b.length; i++) {
        let ms = 0
        let n = 0
        for (let more = true; more && n < 6; n++) {
          const byte = b[i + n] ?? 0
          ms += (byte & 127) * 2 ** (7 * n)
          more = byte > 127
        }
        let to = n === 6 ? tellOf(ms) : ms
        if (to === ms) continue
        for (let at = 0; at < 6; at++, to = Math.floor(to / 128)) b[i + at] = (to % 128) | (at < 5 ? 128 : 0)
        i += 5
      }
    }
    const done = new WeakSet<object>()
    const walk = (value: object) => {
      if (done.has(value)) return
      done.add(value)
      if (value instanceof Uint8Array) bytes(value)
      else if (!ArrayBuffer.isView(value)) {
        for (const [key, one] of Object.entries(value) as [string, unknown][]) {
          if (typeof one === 'number') (value as Record<string, unknown>)[key] = tellOf(one)
          else if (typeof one === 'object' && one !== null) walk(one)
        }
      }
    }
    const data = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data')
    if (!data) return
    Object.defineProperty(MessageEvent.prototype, 'data', {
      ...data,
      get(this: MessageEvent): unknown {
        const heard: unknown = data.get?.call(this)
        if (this.target instanceof MessagePort && typeof heard === 'object' && heard !== null) walk(heard)
        return heard
      },
    })
  }, story)
}

/** settle stops the clock of a context's pages. It comes once somebody has signed in: what is kept of a session lasts by the true clock. */
export async function settle(context: BrowserContext): Promise<void> {
  await context.clock.setFixedTime(now)
}
