import { message, type Session } from '@plenum/sdk'
import { Custom, GetStatusResponse, State } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Chosen, quietOf } from './chosen.ts'

// Node is given the Solid of servers, in which nothing follows.
vi.mock('solid-js', () => vi.importActual('solid-js/dist/solid.js'))

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => vi.useRealTimers())

/** A session that is online, and a server that answers when it is told to; undefined: not at all. */
function server() {
  const asked: ((answer: GetStatusResponse | undefined) => void)[] = []
  const session = {
    state: { kind: 'online' },
    onState: () => () => undefined,
    call: () => new Promise<GetStatusResponse>((resolve, reject) => asked.push((answer) => { if (answer) resolve(answer); else reject(new Error('offline')) })),
  }
  const answer = async (of: GetStatusResponse | undefined) => {
    asked.shift()?.(of)
    await vi.advanceTimersByTimeAsync(0)
  }
  return { chosen: new Chosen(session as unknown as Session, 'me'), answer }
}

const lab = (chosen: State, untilMs = 0) => message(GetStatusResponse, { chosen, untilMs, custom: message(Custom, { emoji: '🧪', text: 'In the lab' }) })

it('knows what was chosen, of who looks offline, too', async () => {
  const { chosen, answer } = server()
  expect(chosen.status()).toBeUndefined()
  await answer(lab(State.INVISIBLE))
  expect(chosen.status()).toEqual({ state: 'invisible', emoji: '🧪', text: 'In the lab', until: undefined })
  expect(quietOf(chosen.status())).toEqual({ on: false })
})

it('holds what was chosen here against an answer that is older, and where there is none', async () => {
  const { chosen, answer } = server()
  const here = { state: 'silent', emoji: '', text: 'Reading', until: undefined } as const
  chosen.set(here)
  await answer(lab(State.INVISIBLE))
  expect(chosen.status()).toEqual(here)
  void chosen.refresh()
  await answer(undefined)
  expect(chosen.status()).toEqual(here)
  expect(quietOf(chosen.status())).toEqual({ on: true, until: undefined })
})

it('ends, all of it, when it was to', async () => {
  const { chosen, answer } = server()
  await answer(lab(State.DO_NOT_DISTURB, 1_060_000))
  await vi.advanceTimersByTimeAsync(59_999)
  expect(quietOf(chosen.status())).toEqual({ on: true, until: 1_060_000 })
  await vi.advanceTimersByTimeAsync(1)
  expect(chosen.status()).toEqual({ state: 'automatic', emoji: '', text: '', until: undefined })
})
