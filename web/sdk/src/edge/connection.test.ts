import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { encode, method } from '../method.ts'
import { SendRequest, SendResponse } from '../proto/plenum/chat/v1/chat.ts'
import { history, send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Edge, error, event, events, failed, goodbye, login, outcome, replied, rest, say, start, stopped, subscribed, Tokens, welcome, type Peer } from '../../test/edge.ts'
import { Code, ServerError } from '../errors.ts'
import { MemoryStore } from '../outbox/memory.ts'
import { StoredOutbox } from '../outbox/send.ts'
import type { Update } from '../session.ts'
import { Connection } from './connection.ts'
import { backoffMax, maxCalls } from './limits.ts'
import { webSocket } from './websocket.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

const once = method('test/Once', 'once', SendRequest, SendResponse)
const a = 'chat.channel/a'
const b = 'chat.channel/b'
const at = (offset: number, epoch = 3) => ({ epoch, offset })
const bytes = encode(SendResponse, { offset: 7, epoch: 3 })

/** ids are those of the calls that came. */
const ids = (peer: Peer) => peer.take('call').map(({ id }) => id)

describe('a connection', () => {
  test('logs in within one round trip, with all that waits', async () => {
    const { edge, connection, tokens } = start()
    connection.follow(a, () => undefined, { from: at(7), types: ['posted'] })
    const read = outcome(connection.call(history, { channel: 'c' }))
    const change = outcome(connection.call(send, { channel: 'c', text: 'hello' }))
    connection.onUp((up) => {
      if (up) void connection.send({ method: 'test/Queued', body: new Uint8Array([1]), seq: 9, lane: 1 })
    })
    await rest(1)
    const { last } = edge
    expect([last.url, last.protocols]).toEqual(['ws://edge/edge/v1/ws', ['plenum.v1.proto']])
    expect(tokens.asked).toEqual([undefined])
    expect(last.messages.length).toBe(1)
    expect(connection.state.kind).toBe('connecting')
    const [hello, subscribe, ...calls] = last.rest()
    expect(hello).toMatchObject({ $case: 'hello', value: { token: 'token-1', clientId: 'q83vEjRWeJCrze8SNFZ4kA', sessionId: 'session', agent: 'test/1', idleS: 0 } })
    expect(subscribe).toMatchObject({ $case: 'subscribe', value: { wants: [{ topic: a, mode: 0, cursor: at(7), types: ['posted'] }] } })
    expect(calls).toMatchObject([
      { value: { method: 'plenum.chat.v1.ChatService/History', clientSeq: 0, lane: 0 } },
      { value: { method: 'plenum.chat.v1.ChatService/Send', clientSeq: 1, lane: 0 } },
      { value: { method: 'test/Queued', clientSeq: 9, lane: 1 } },
    ])
    last.say(welcome(), ...calls.slice(0, 2).map((c) => replied(c.$case === 'call' ? c.value.id : 0, bytes)))
    await rest()
    expect(connection.state).toMatchObject({ kind: 'online', transport: 'websocket', skew: 1234 })
    expect(change.value).toMatchObject({ offset: 7 })
    expect(read.value).toBeDefined()
  })

  test('says Hello in 64 KiB, and the rest behind it, in messages of 64 frames', async () => {
    const { edge, connection } = start()
    for (let i = 0; i < 1200; i++) connection.follow(`chat.channel/${'x'.repeat(60)}${i}`, () => undefined)
    for (let i = 0; i < 80; i++) void connection.send({ method: 'm', body: new Uint8Array(3000), seq: 1, lane: 1 }).catch(() => undefined)
    connection.onUp((up) => { for (let i = 0; up && i < 80; i++) void connection.send({ method: 'm', body: new Uint8Array(3000), seq: 1, lane: 1 }).catch(() => undefined) })
    await rest(1)
    const { messages } = edge.last // Peer.send holds each to its limits
    expect(messages.length).toBeGreaterThan(2)
    const wants = edge.last.rest().flatMap((f) => (f.$case === 'subscribe' ? [f.value.wants.length] : []))
    expect(wants.reduce((n, m) => n + m)).toBe(1200)
    expect(Math.max(...wants)).toBeLessThanOrEqual(500)
  })

  test('comes back with full jitter, from half a second to thirty', async () => {
    const { edge, states } = start({ random: () => 0.999 })
    edge.down = true
    await rest(200_000)
    const gaps = edge.dials.slice(1).map((t, i) => t - (edge.dials[i] ?? 0))
    expect(gaps[0]).toBeGreaterThan(400)
    expect(gaps[0]).toBeLessThan(600)
    expect(gaps[1]).toBeGreaterThan(900)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(backoffMax + 1)
    expect(Math.max(...gaps)).toBeGreaterThan(backoffMax - 100)
    expect(states.find((s) => s.kind === 'offline')).toMatchObject({ cause: { code: 200, reason: 'client.UNREACHABLE' } })
  })

  test('a server that accepts and fails is not come back to quickly; one that has served is', async () => {
    const { edge } = start()
    for (let i = 0; i < 10; i++) {
      ;(await login(edge)).hangUp(1006)
      const n = edge.dials.length
      while (edge.dials.length === n) await rest(100)
    }
    let begun = Date.now()
    ;(await login(edge)).hangUp(1006)
    let n = edge.dials.length
    while (edge.dials.length === n) await rest(100)
    expect(Date.now() - begun).toBeGreaterThan(10_000)
    await login(edge)
    for (let i = 0; i < 12; i++) {
      await rest(5_000)
      edge.last.say({ $case: 'ping', value: { nonce: i, active: false } })
    }
    begun = Date.now()
    edge.last.hangUp(1006)
    n = edge.dials.length
    while (edge.dials.length === n) await rest(100)
    expect(Date.now() - begun).toBeLessThan(500)
  })

  test.each([4100, 4101, 4102, 4177])('%i: waits exactly as long as it was told, also when it is probed', async (code) => {
    const { edge, connection } = start()
    const peer = await login(edge)
    const then = Date.now()
    peer.say(goodbye(code, 4180))
    await rest()
    expect(connection.state).toMatchObject({ kind: 'offline', retryAt: then + 4180, cause: { code } })
    expect(peer.closed).toBe(true)
    await rest(4000)
    connection.probe()
    await rest(179)
    expect(edge.dials.length).toBe(1)
    await rest(1)
    expect(edge.dials.length).toBe(2)
    await login(edge)
    expect(connection.state.kind).toBe('online')
  })

  test.each([4000, 4001, 4099, 4555, 1006, 1002])('%i: comes back with jitter', async (code) => {
    const { edge, connection } = start()
    ;(await login(edge)).hangUp(code)
    await rest(249)
    expect([edge.dials.length, connection.state.kind]).toEqual([1, 'offline'])
    await rest(1)
    expect(edge.dials.length).toBe(2)
  })

  test.each([4200, 4201, 4299])('%i: once it takes another token, twice it is signed out', async (code) => {
    const { edge, connection, tokens, states } = start()
    const call = outcome(connection.call(history, { channel: 'c' }))
    await rest(1)
    edge.last.say(goodbye(code))
    await rest(250)
    expect(tokens.asked).toEqual([undefined, 'token-1'])
    await rest(1)
    expect(edge.last.take('hello')).toMatchObject([{ token: 'token-2' }])
    edge.last.say(goodbye(code))
    await rest(100_000)
    expect(edge.dials.length).toBe(2)
    expect(connection.state).toMatchObject({ kind: 'signed-out', cause: { code } })
    expect(call.error?.code).toBe(code)
    expect(states.filter(({ kind }) => kind === 'signed-out').length).toBe(1)
    await expect(connection.call(history, {})).rejects.toMatchObject({ code })
  })

  test('a refusal that was made good does not count', async () => {
    const { edge, connection } = start()
    for (let i = 0; i < 3; i++) {
      await rest(300)
      edge.last.hangUp(4201)
      await rest(300)
      await login(edge)
    }
    expect(connection.state.kind).toBe('online')
  })

  test.each([
    [4400, 'wiped'], [4444, 'wiped'], [4300, 'outdated'], [4301, 'outdated'], [4302, 'outdated'], [4399, 'outdated'],
  ])('%i: stops, as %s', async (code, kind) => {
    for (const farewell of [(p: Peer) => { p.say(goodbye(code)) }, (p: Peer) => { p.hangUp(code, 'so it is') }]) {
      const { edge, connection } = start()
      farewell(await login(edge))
      await rest(100_000)
      expect(connection.state).toMatchObject({ kind, cause: { code } })
      expect(edge.dials.length).toBe(1)
      connection.probe()
      await rest(100_000)
      expect(edge.dials.length).toBe(1)
    }
  })

  test('the source of tokens has the last word, but for what may be over soon', async () => {
    const away = start({}, new TypeError('fetch failed'))
    await rest(60_000)
    expect(away.states.at(-1)).toMatchObject({ kind: 'offline', cause: { code: 200, reason: 'client.NO_TOKEN' } })
    expect(away.edge.dials.length).toBe(0)
    away.tokens.fail = undefined
    while (away.edge.dials.length === 0) await rest(100)
    await login(away.edge)
    expect(away.connection.state.kind).toBe('online')
    for (const [code, kind] of [[102, 'signed-out'], [4201, 'signed-out'], [4400, 'wiped']] as const) {
      const { edge, connection } = start({}, new ServerError(code, 'identity.SESSION_ENDED', 'Sign in.'))
      await rest(1)
      expect(connection.state).toMatchObject({ kind, cause: { code } })
      expect(edge.dials.length).toBe(0)
    }
  })

  test('a token that does not come, a socket that does not open and a Welcome that does not come are failures', async () => {
    const { edge, connection, tokens } = start()
    tokens.token = () => new Promise(() => undefined)
    await rest(1)
    ;(await login(edge)).hangUp(4201)
    await rest(250 + 15_000)
    expect(connection.state).toMatchObject({ kind: 'offline', cause: { reason: 'client.NO_TOKEN' } })

    const mute = start()
    await rest(1 + 9_999)
    expect(mute.connection.state.kind).toBe('connecting')
    await rest(1)
    expect(mute.connection.state).toMatchObject({ kind: 'offline', cause: { reason: 'client.CONNECTION_LOST' } })
    expect(mute.edge.peers[0]?.closed).toBe(true)

    const shut = start()
    shut.edge.down = true
    await rest()
    shut.edge.last.onclose = null // it hears nothing
    await rest(15_000)
    expect(shut.connection.state).toMatchObject({ kind: 'offline', cause: { reason: 'client.UNREACHABLE' } })
  })

  test('a server of another protocol is no use', async () => {
    const { edge, connection } = start()
    await rest()
    edge.last.protocol = ''
    await rest(1)
    expect(connection.state).toMatchObject({ kind: 'outdated', cause: { code: 4302 } })
  })

  test('asks a silent server, and gives it up', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    peer.rest()
    await rest(34_999)
    expect(peer.rest()).toEqual([])
    await rest(1)
    const [ping] = peer.take('ping')
    expect(ping).toMatchObject({ active: false })
    peer.say({ $case: 'pong', value: { nonce: ping?.nonce ?? 0 } })
    await rest(34_999)
    expect(peer.rest()).toEqual([])
    await rest(1 + 4_999)
    expect([peer.take('ping').length, connection.state.kind]).toEqual([1, 'online'])
    await rest(1)
    expect(connection.state).toMatchObject({ kind: 'offline', cause: { reason: 'client.CONNECTION_LOST' } })
    expect(peer.closed).toBe(true)
    await rest(250)
    expect(edge.dials.length).toBe(2)
  })

  test('what was on its way before a Ping is no answer to it, and may be long', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    connection.probe()
    for (let i = 0; i < 3; i++) {
      await rest(4_999)
      peer.say({ $case: 'signal', value: { topic: 'chat.channel/c', key: 'typing', from: 'u2/s', body: new Uint8Array() } })
    }
    await rest(4_999)
    expect(connection.state.kind).toBe('online')
    await rest(1)
    expect(connection.state).toMatchObject({ kind: 'offline', cause: { reason: 'client.CONNECTION_LOST' } })
  })

  test('a page that was asleep asks anew, before it gives up what may live', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    connection.probe()
    await rest()
    vi.setSystemTime(Date.now() + 3_600_000)
    await rest(5_000)
    expect([peer.take('ping').length, connection.state.kind]).toEqual([2, 'online'])
    await rest(5_000)
    expect(connection.state.kind).toBe('offline')
  })

  test('what is long to send is not taken for a dead line, while it gets on', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    peer.bufferedAmount = 1 << 20
    connection.probe()
    for (let i = 0; i < 4; i++) {
      await rest(4_999)
      peer.bufferedAmount /= 2
      await rest(1)
    }
    await rest(4_999)
    expect(connection.state.kind).toBe('online')
    await rest(1)
    expect(connection.state.kind).toBe('offline')
  })

  test('answers Ping, and probes: what lives by a Ping, what waits by trying', async () => {
    const { edge, connection } = start()
    connection.probe()
    const peer = await login(edge)
    peer.say({ $case: 'ping', value: { nonce: 77, active: false } })
    await rest()
    expect(peer.take('pong')).toMatchObject([{ nonce: 77 }])
    connection.probe()
    connection.probe()
    await rest()
    expect(peer.take('ping').length).toBe(1)
    await rest(5_000)
    expect(connection.state.kind).toBe('offline')
    connection.probe()
    await rest()
    expect(edge.dials.length).toBe(2)
    connection.probe()
    await rest(1000)
    expect(edge.dials.length).toBe(2)
  })

  test('says that the person is at it also after the clock was set back', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    connection.active()
    vi.setSystemTime(Date.now() - 3_600_000)
    await rest(1)
    connection.active()
    await rest(1)
    expect(peer.take('ping').filter(({ active }) => active).length).toBe(2)
    connection.close()
  })

  test('says that the person is at it once a minute, and at Hello since when they are not', async () => {
    const { edge, connection } = start({ idle: 7_900 })
    await rest(1)
    expect(edge.last.take('hello')).toMatchObject([{ idleS: 7 }])
    const peer = await login(edge)
    for (let i = 0; i < 130; i++) {
      connection.active()
      peer.say({ $case: 'pong', value: { nonce: 0 } })
      await rest(1_000)
    }
    expect(peer.take('ping').filter(({ active }) => active).length).toBe(3)
    void connection.call(send, { channel: 'c' }).catch(() => undefined)
    await rest(30_000)
    peer.hangUp(1006)
    await rest(251)
    expect(edge.last.take('hello')).toMatchObject([{ idleS: 30 }])
    connection.close()
  })

  test('refreshes its token a minute before its end, in mid-connection', async () => {
    const { edge, tokens, connection } = start()
    await rest(1)
    edge.last.say(welcome({}, 600_000))
    const beat = async (ms: number) => {
      for (let t = 0; t < ms; t += 20_000) {
        await rest(20_000)
        edge.last.say({ $case: 'pong', value: { nonce: 0 } })
      }
    }
    edge.last.rest()
    await beat(500_000)
    expect(tokens.asked).toEqual([undefined])
    await beat(40_000)
    expect(tokens.asked).toEqual([undefined, 'token-1'])
    expect(edge.last.take('refresh')).toEqual([{ token: 'token-2' }])
    edge.last.say({ $case: 'refreshed', value: { tokenTtlMs: 600_000 } })
    tokens.fail = new TypeError('fetch failed')
    await beat(540_000)
    const failures = tokens.asked.length
    expect(failures).toBeGreaterThan(2)
    tokens.fail = undefined
    await beat(20_000)
    expect(edge.last.take('refresh')).toEqual([{ token: 'token-3' }])
    expect(edge.dials.length).toBe(1)
    tokens.fail = new ServerError(102, 'identity.SESSION_ENDED', 'Sign in.')
    edge.last.say({ $case: 'refreshed', value: { tokenTtlMs: 600_000 } })
    await beat(540_000)
    expect(connection.state).toMatchObject({ kind: 'signed-out', cause: { code: 102 } })
  })

  test('a token that comes when its line is gone is not used on the next one', async () => {
    const { edge, tokens } = start()
    const peer = await login(edge)
    const give: ((token: string) => void)[] = []
    const token = tokens.token.bind(tokens)
    tokens.token = () => new Promise((resolve) => give.push(resolve))
    peer.say(failed(0, 204), { $case: 'refreshed', value: { tokenTtlMs: 1 } })
    await rest(1_000)
    expect(give.length).toBe(1)
    tokens.token = token
    peer.hangUp(1006)
    await rest(250)
    const next = await login(edge)
    give[0]?.('late')
    await rest()
    expect(next.take('refresh')).toEqual([])
    await rest(35_000)
    next.say({ $case: 'refreshed', value: { tokenTtlMs: 1 } })
    await rest(1_000)
    expect(next.take('refresh').length).toBe(1)
  })

  test('says nothing, and sends nothing, behind its close', async () => {
    const { edge, connection, states } = start()
    const told: Update[] = []
    connection.follow(a, (u) => told.push(u))
    const call = outcome(connection.call(history, {}))
    const peer = await login(edge)
    const n = states.length
    connection.close()
    peer.say(events(a, [1]))
    peer.hangUp(1006)
    await rest(100_000)
    expect([states.length, told, edge.dials.length, peer.closed]).toEqual([n, [], 1, true])
    expect(call.error?.reason).toBe('client.CLOSED')
    await expect(connection.call(history, {})).rejects.toMatchObject({ reason: 'client.CLOSED' })
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('calls', () => {
  test('are repeated over lost connections: reads, and changes under their number', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    const change = outcome(connection.call(send, { channel: 'c', text: 'x' }))
    const read = outcome(connection.call(history, { channel: 'c' }))
    const single = outcome(connection.call(once, { channel: 'c' }))
    await rest()
    const before = peer.take('call')
    expect(before.length).toBe(3)
    peer.hangUp(1006)
    await rest()
    expect(single.error).toMatchObject({ code: Code.OUTCOME_UNKNOWN, reason: 'client.LOST' })
    const again = (await (await rest(250), login(edge))).take('call')
    const seqs = (calls: typeof again) => calls.map(({ method, clientSeq }) => `${method} ${clientSeq}`)
    expect(seqs(again)).toEqual(seqs(before.filter((c) => c.method !== 'test/Once')))
    expect(again[0]?.body).toEqual(before[0]?.body)
    edge.last.say(...again.map(({ id }) => replied(id, bytes)))
    await rest()
    expect(change.value).toMatchObject({ offset: 7 })
    expect(read.value).toBeDefined()
  })

  test('what is called once goes out again where a token was refused before anything was done', async () => {
    const { edge, connection } = start()
    const call = outcome(connection.call(once, {}))
    await rest(1)
    edge.last.say(goodbye(4201))
    await rest(251)
    const [again] = ids(edge.last)
    edge.last.say(welcome(), replied(again ?? 0, bytes))
    await rest()
    expect(call.value).toMatchObject({ offset: 7 })
  })

  test.each([
    [200, true], [201, false], [202, true], [203, true], [204, true], [277, false],
  ])('an answer of %i is repeated; of what is called once: %s', async (code, again) => {
    const { edge, connection, tokens } = start()
    const peer = await login(edge)
    const change = outcome(connection.call(send, { channel: 'c' }))
    const single = outcome(connection.call(once, {}))
    await rest()
    peer.say(...ids(peer).map((id) => failed(id, code, 3000)))
    await rest(2_999)
    expect(ids(peer)).toEqual([])
    await rest(1)
    const repeated = peer.take('call')
    expect(repeated.map(({ method, clientSeq }) => [method.slice(-4), clientSeq])).toEqual(again ? [['Send', 1], ['Once', 0]].sort() : [['Send', 1]])
    expect(single.error?.code).toBe(again ? undefined : code)
    expect(tokens.asked.length).toBe(code === 204 ? 2 : 1)
    peer.say(...repeated.map(({ id }) => failed(id, 103)))
    await rest()
    expect(change.error?.code).toBe(103)
  })

  test('no more than the window go out; no more than 256 wait', async () => {
    const { edge, connection } = start()
    const peer = await login(edge, { calls: 4 })
    peer.rest()
    const all = Array.from({ length: maxCalls + 1 }, () => outcome(connection.call(history, {})))
    await rest()
    expect(all.map(({ error: e }) => e?.reason).filter((r) => r !== undefined)).toEqual(['client.TOO_MANY_CALLS'])
    let under = ids(peer)
    expect(under.length).toBe(4)
    for (let done = 0; done < maxCalls; done += under.length, under = ids(peer)) {
      expect(under.length).toBeLessThanOrEqual(4)
      peer.say(...under.map((id) => replied(id)))
      await rest()
    }
    expect(all.filter(({ value }) => value !== undefined).length).toBe(maxCalls)
  })

  test('are given up by their signal: what waits is not sent, what runs is cancelled, what pauses ends', async () => {
    const { edge, connection } = start()
    const peer = await login(edge, { calls: 1 })
    const stop = Array.from({ length: 4 }, () => new AbortController())
    const calls = stop.map(({ signal }) => outcome(connection.call(history, {}, { signal })))
    await rest()
    const [first] = ids(peer)
    stop[0]?.abort(new Error('enough'))
    stop[1]?.abort(new Error('of that'))
    await rest()
    expect(peer.rest()).toMatchObject([{ $case: 'cancel', value: { id: first } }])
    expect(calls.map(({ error: e }) => e?.message)).toEqual(['enough', 'of that', undefined, undefined])
    peer.say(failed(first ?? 0, 201)) // only now there is room
    await rest()
    const [third] = ids(peer)
    peer.say(failed(third ?? 0, 203, 60_000))
    await rest()
    stop[2]?.abort(new Error('at all'))
    await rest()
    expect(calls[2]?.error?.message).toBe('at all')
    await expect(connection.call(history, {}, { signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never')
    const [fourth] = ids(peer)
    expect(fourth).toBeDefined()
    stop[3]?.abort(new Error('now'))
    peer.hangUp(1006)
    await rest(251)
    expect(ids(edge.last)).toEqual([]) // it does not come back
  })

  test('a change that never went out did not take place', async () => {
    const { connection } = start()
    const change = outcome(connection.call(send, {}))
    await rest()
    connection.close()
    await rest()
    expect(change.error).toMatchObject({ code: 200, reason: 'client.CLOSED' })
  })

  test('what pauses ends with the session', async () => {
    const { edge, connection } = start()
    const peer = await login(edge)
    const call = outcome(connection.call(history, {}))
    await rest()
    peer.say(...ids(peer).map((id) => failed(id, 203, 60_000)))
    await rest()
    connection.close()
    await rest()
    expect([call.error?.reason, vi.getTimerCount()]).toEqual(['client.CLOSED', 0])
  })

  test('what was said before the close is said; a change that was sent is in doubt', async () => {
    const { edge, connection } = start()
    const following = connection.follow(a, () => undefined)
    const peer = await login(edge)
    peer.say(subscribed(peer.take('subscribe')[0]?.id ?? 0, { topic: a, start: at(1), head: at(1) }))
    const change = outcome(connection.call(send, {}))
    const read = outcome(connection.call(history, {}))
    await rest()
    following.signal('left', bytes)
    connection.close()
    await rest()
    expect(peer.take('signal').length).toBe(1)
    expect([change.error?.code, read.error?.reason]).toEqual([201, 'client.CLOSED'])
  })

  test('onlyOnline fails without a connection, and with its loss', async () => {
    const { edge, connection } = start()
    await expect(connection.call(history, {}, { onlyOnline: true })).rejects.toMatchObject({ code: 200, reason: 'client.OFFLINE' })
    const peer = await login(edge)
    const read = outcome(connection.call(history, {}, { onlyOnline: true }))
    const change = outcome(connection.call(send, {}, { onlyOnline: true }))
    await rest()
    peer.hangUp(1006)
    await rest()
    expect([read.error?.reason, change.error?.reason]).toEqual(['client.OFFLINE', 'client.LOST'])
  })

  test('too long a body and an answer that is none are told', async () => {
    const { edge, connection } = start()
    const peer = await login(edge, { messageBytes: 10_000 })
    await expect(connection.call(send, { text: 'x'.repeat(6_000) })).rejects.toMatchObject({ code: 104, reason: 'client.BODY_TOO_LARGE' })
    const call = outcome(connection.call(history, {}))
    await rest()
    peer.say(...ids(peer).map((id) => replied(id, new Uint8Array([8, 255]))))
    await rest()
    expect(call.error).toMatchObject({ code: 107, reason: 'client.ANSWER' })
  })
})

describe('the wire', () => {
  test('sends once, and says what became of it', async () => {
    const { edge, connection } = start()
    const ups: boolean[] = []
    const off = connection.onUp((up) => ups.push(up))
    const one = (seq: number, signal?: AbortSignal) => outcome(connection.send({ method: 'm', body: bytes, seq, lane: 2, ...(signal && { signal }) }))
    const early = one(1)
    const peer = await login(edge)
    peer.rest()
    expect([early.error?.reason, connection.up, ups]).toEqual(['client.OFFLINE', true, [true]])
    const stop = new AbortController()
    const calls = [one(1), one(2), one(3), one(4, stop.signal)]
    await rest()
    const sent = peer.take('call')
    expect(sent.map(({ clientSeq, lane }) => [clientSeq, lane])).toEqual([[1, 2], [2, 2], [3, 2], [4, 2]])
    peer.say(replied(sent[0]?.id ?? 0, bytes), failed(sent[1]?.id ?? 0, 200, 100))
    stop.abort(new Error('enough'))
    await rest()
    expect(peer.take('cancel').length).toBe(1)
    expect((calls[0]?.value as Uint8Array).buffer.byteLength).toBe(bytes.length)
    expect([calls[0]?.value, calls[1]?.error?.code, calls[3]?.error?.message]).toEqual([bytes, 200, 'enough'])
    off()
    peer.hangUp(1006)
    await rest(251)
    expect([calls[2]?.error?.reason, calls[2]?.error?.code, ups]).toEqual(['client.LOST', 201, [true]])
    expect(ids(edge.last)).toEqual([])
  })

  test('its lanes take one place each of the window', async () => {
    const { edge, connection } = start()
    const peer = await login(edge, { calls: 4 })
    for (let seq = 1; seq < 30; seq++) void connection.send({ method: 'm', body: bytes, seq, lane: 1 + (seq % 2) }).catch(() => undefined)
    for (let i = 0; i < 5; i++) void connection.call(history, {}).catch(() => undefined)
    await rest()
    expect(peer.take('call').filter(({ lane }) => lane === 0).length).toBe(2)
    connection.close()
  })
})

describe('topics', () => {
  /** follow follows a, and tells in few words what is told. */
  async function follow(options = {}, dependencies?: Parameters<typeof start>[0]) {
    const s = start(dependencies)
    const told: string[] = []
    const following = s.connection.follow(a, (u) => told.push(say(u)), options)
    const peer = await login(s.edge)
    const [subscribe] = peer.take('subscribe')
    return { ...s, told, following, peer, id: subscribe?.id ?? 0 }
  }
  const live = (id: number, offset = 7) => subscribed(id, { topic: a, start: at(offset), head: at(20) })

  test('apply what follows, skip what overlaps, and take the cursor along', async () => {
    const { edge, peer, id, told, settled } = await follow({ from: at(7) })
    peer.say(events(a, [8]), live(id, 5), events(a, [6, 7, 8, 9], { after: 5 }), events(a, [], { after: 9, upto: 12 }), events(a, [15], { after: 12, upto: 16 }), events(b, [1]))
    peer.say({ $case: 'events', value: { topic: a, events: [event(16, '1'), event(17, '18446744073709551615')], upto: 0 } })
    await rest()
    expect(told).toEqual(['live', '8,9@9', '15@16', '17@17'])
    expect(settled).toEqual(['18446744073709551615'])
    peer.hangUp(1006)
    await rest(251)
    expect(edge.last.take('subscribe')).toMatchObject([{ wants: [{ topic: a, cursor: at(17) }] }])
    expect(told.at(-1)).toBe('paused')
  })

  test('begin where the server says, without a cursor', async () => {
    const { edge, peer, id, told } = await follow()
    peer.say(live(id, 11), events(a, [12]))
    peer.hangUp(1006)
    await rest(251)
    expect(told).toEqual(['live', '12@12', 'paused'])
    expect(edge.last.take('subscribe')).toMatchObject([{ wants: [{ cursor: at(12) }] }])
  })

  test('a hole is asked for again, and nothing behind it is shown', async () => {
    const { peer, id, told } = await follow({ from: at(7) })
    peer.say(live(id), events(a, [8]), events(a, [10]), events(a, [11]))
    await rest()
    const [again] = peer.take('subscribe')
    expect(again).toMatchObject({ wants: [{ cursor: at(8) }] })
    peer.say(live(id, 8), events(a, [9])) // of the subscription before
    expect(told).toEqual(['live', '8@8'])
    peer.say(events(a, [12]), live(again?.id ?? 0, 8), events(a, [9, 10, 11, 12]))
    await rest()
    expect(told).toEqual(['live', '8@8', 'live', '9,10,11,12@12'])
  })

  test.each([300, 319])('%i: is followed again at once, from the cursor', async (code) => {
    const { peer, id, told } = await follow({ from: at(7) })
    peer.say(live(id), events(a, [8]), stopped(a, code), events(a, [9]))
    await rest()
    expect(peer.take('subscribe')).toMatchObject([{ wants: [{ cursor: at(8) }] }])
    expect(told).toEqual(['live', '8@8'])
  })

  test.each([320, 321, 322, 339])('%i: is reset, and waits for resume', async (code) => {
    const { edge, peer, id, told, following } = await follow({ from: at(7) })
    peer.say(live(id), stopped(a, code), events(a, [8]))
    peer.hangUp(1006)
    const next = await (await rest(250), login(edge))
    expect([told, next.take('subscribe')]).toEqual([['live', `reset ${code}`], []])
    following.resume(at(40, 4))
    await rest()
    const [again] = next.take('subscribe')
    expect(again).toMatchObject({ wants: [{ cursor: at(40, 4) }] })
    next.say(subscribed(again?.id ?? 0, { topic: a, start: at(40, 4), head: at(40, 4) }), events(a, [41]))
    expect(told.slice(2)).toEqual(['live', '41@41'])
  })

  test.each([340, 341, 342, 359])('%i: is over', async (code) => {
    const { edge, connection, peer, id, told } = await follow({ from: at(7) })
    peer.say(live(id), stopped(a, code), events(a, [8]))
    peer.hangUp(1006)
    await rest(251)
    expect([told, edge.last.take('subscribe')]).toEqual([['live', `ended ${code}`], []])
    connection.follow(a, () => undefined)
    await rest()
    expect(edge.last.take('subscribe').length).toBe(1)
  })

  test.each([[101, 'ended 101'], [322, 'reset 322'], [340, 'ended 340']])('a Subscribed of %i: %s', async (code, last) => {
    const { peer, id, told } = await follow()
    peer.say(subscribed(id, { topic: a, error: error(code) }))
    expect(told).toEqual([last])
  })

  test.each([200, 203, 204, 299])('%i: is asked for again when it was told', async (code) => {
    const { peer, id, told, tokens } = await follow({ from: at(7) })
    peer.say(subscribed(id, { topic: a, error: error(code, 2000) }))
    await rest(1_999)
    expect([told, peer.take('subscribe')]).toEqual([['paused'], []])
    await rest(1)
    const [again] = peer.take('subscribe')
    peer.say(live(id), live(again?.id ?? 0))
    expect(told).toEqual(['paused', 'live'])
    expect(tokens.asked.length).toBe(code === 204 ? 2 : 1)
  })

  test('what is closed is left, and says nothing more', async () => {
    const { connection, peer, id, told, following } = await follow()
    peer.say(live(id))
    following.close()
    following.signal('typing', bytes)
    following.resume(at(1))
    peer.say(events(a, [8]))
    await rest()
    expect([told, peer.rest()]).toEqual([['live'], [{ $case: 'unsubscribe', value: { topics: [a] } }]])
    const again = connection.follow(a, (u) => told.push(say(u)))
    again.close()
    connection.follow(a, (u) => told.push(say(u)))
    await rest()
    expect(peer.take('subscribe').length).toBe(1)
    connection.follow(a, (u) => told.push(`second: ${say(u)}`))
    await rest()
    expect([told.at(-1), peer.rest()]).toEqual(['second: ended 103', []])
  })

  test('no more than 5,000 are followed', async () => {
    const { connection } = start()
    const told: string[] = []
    for (let i = 0; i <= 5000; i++) connection.follow(`chat.channel/${i}`, (u) => told.push(say(u)))
    await rest()
    expect(told).toEqual(['ended 342'])
    connection.close()
  })

  test('signals come and go', async () => {
    const { connection, peer, id, told, following } = await follow()
    following.signal('typing', bytes) // not yet
    const got: Update[] = []
    connection.follow(b, (u) => got.push(u))
    await rest()
    const [second] = peer.take('subscribe')
    peer.say(live(id), subscribed(second?.id ?? 0, { topic: b, start: at(1), head: at(1) }))
    for (let i = 0; i < 30; i++) following.signal('typing', new Uint8Array([i]))
    await rest()
    expect(peer.take('signal').length).toBe(20)
    peer.say({ $case: 'signal', value: { topic: b, key: 'typing', from: 'u2/s', body: bytes } })
    expect(got.at(-1)).toEqual({ kind: 'signal', from: 'u2/s', key: 'typing', body: bytes })
    expect(told).toEqual(['live'])
    expect(() => { following.signal('k'.repeat(33), bytes) }).toThrow(RangeError)
    expect(() => { following.signal('k', new Uint8Array(1025)) }).toThrow(RangeError)
    peer.bufferedAmount = 1 << 20
    await rest(1000)
    following.signal('typing', bytes)
    await rest()
    expect(peer.take('signal')).toEqual([])
  })

  const head = (ref: number, topic: string, offset: number, more = {}) => ({ topic, ref, offset, count: 0, badge: new Uint8Array(), removed: false, calls: 0, redacted: 0, epoch: 0, ...more })
  const heads = (snapshot: boolean, ...list: ReturnType<typeof head>[]) => ({ $case: 'heads' as const, value: { topic: a, heads: list, snapshot } })
  const list = (id: number, offset: number) => subscribed(id, { topic: a, start: at(offset, 0) })
  const pong = { $case: 'pong' as const, value: { nonce: 0 } }

  test('heads have their names, of their connection; a list that came whole has a cursor', async () => {
    const { edge, peer, id, told } = await follow()
    peer.say(list(id, 99), heads(true, head(12, b, 203, { epoch: 5 }), head(40, 'chat.channel/c', 9, { epoch: 6 })), heads(false, head(41, 'chat.channel/d', 1)))
    expect(told.splice(0)).toEqual(['live', `heads! ${b}=5:203,chat.channel/c=6:9,chat.channel/d=0:1@99`])
    peer.hangUp(1006)
    const next = await (await rest(250), login(edge))
    const [again] = next.take('subscribe')
    expect(again).toMatchObject({ wants: [{ cursor: at(99, 0) }] })
    next.say(list(again?.id ?? 0, 99), pong, heads(false, head(12, 'chat.channel/d', 2), head(40, '', 3)), heads(false, head(12, '', 4, { removed: true }), head(12, '', 5)))
    expect(told).toEqual(['paused', 'live', 'heads chat.channel/d=0:2@', 'heads chat.channel/d=0:4-@'])
    next.hangUp(1006)
    await rest(1000)
    expect(edge.last.take('subscribe')).toMatchObject([{ wants: [{ cursor: undefined }] }]) // it has moved since
  })

  test('a list is told in its place, and what moves behind it apart', async () => {
    const { peer, id, told } = await follow()
    peer.say(list(id, 99), heads(true, head(12, b, 203)), heads(false, head(13, 'chat.channel/c', 1)), pong)
    peer.say(list(id, 98), heads(true), pong, heads(false, head(12, b, 204)))
    expect(told).toEqual(['live', `heads! ${b}=0:203,chat.channel/c=0:1@99`, 'heads! @98', `heads ${b}=0:204@`])
  })

  test('a list that did not come has no cursor', async () => {
    const { edge, peer, id, told } = await follow()
    peer.say(list(id, 99))
    peer.hangUp(1006)
    await rest(251)
    expect(edge.last.take('subscribe')).toMatchObject([{ wants: [{ cursor: undefined }] }])
    expect(told).toEqual(['live', 'paused'])
  })

  const entry = (key: string, removed = false) => ({ key, body: bytes, removed })
  const view = (entries: ReturnType<typeof entry>[], more: object = {}) => ({ $case: 'view' as const, value: { topic: a, entries, snapshot: false, more: false, at: undefined, stale: false, ...more } })

  test('views are told once an update is there, with its cursor', async () => {
    const { edge, peer, id, told } = await follow({ params: bytes })
    peer.say(subscribed(id, { topic: a }), view([entry('1')], { snapshot: true, more: true }), view([entry('2')], { at: at(5) }))
    peer.say(view([entry('2', true)], { at: at(6) }), view([], { at: at(6), stale: true }))
    expect(told.splice(0)).toEqual(['live', 'view! 1,2@5', 'view 2-@6', 'view @6?'])
    peer.say(view([entry('8')], { more: true }), view([entry('9')], { snapshot: true, more: true }), view([entry('9', true)], { more: true }))
    peer.hangUp(1006)
    const next = await (await rest(250), login(edge))
    const [again] = next.take('subscribe')
    expect(again).toMatchObject({ wants: [{ cursor: at(6), params: bytes }] })
    next.say(subscribed(again?.id ?? 0, { topic: a }), view([entry('3')]), view([entry('4')], { more: true }), view([entry('5')], { snapshot: true, at: at(7) }))
    expect(told).toEqual(['paused', 'live', 'view 3@6', 'view! 5@7'])
  })

  test('a session that is closed takes nothing more, and the outbox hears it', async () => {
    const edge = new Edge()
    const outbox = await StoredOutbox.open(new MemoryStore(), 'q83vEjRWeJCrze8SNFZ4kA')
    const connection = new Connection({ server: 'http://edge', tokens: new Tokens(), outbox, dial: webSocket('http://edge', edge.Maker), random: () => 0.5 })
    outbox.attach(connection)
    const ups: boolean[] = []
    connection.onUp((up) => ups.push(up))
    connection.open()
    await login(edge)
    await outbox.put(send, { channel: 'c', text: 'x' }, { lane: 'c' })
    await rest(1)
    connection.close()
    await rest(1)
    const sends = vi.spyOn(connection, 'send')
    await rest(600_000)
    expect([ups, sends.mock.calls.length, connection.state.kind]).toEqual([[true, false], 0, 'offline'])
    expect(outbox.entries.map((e) => e.state)).toEqual(['waiting'])
    outbox.close()
  })

  test('a listener that throws is its own fault', async () => {
    const thrown: unknown[] = []
    const caught = (e: unknown) => thrown.push(e)
    process.on('uncaughtException', caught)
    const { edge, connection } = start()
    connection.follow(a, () => { throw new Error('mine') })
    const peer = await login(edge)
    peer.say(live(peer.take('subscribe')[0]?.id ?? 0))
    expect(connection.state.kind).toBe('online')
    vi.useRealTimers()
    await new Promise((done) => setTimeout(done, 5))
    process.off('uncaughtException', caught)
    expect(thrown).toMatchObject([{ message: 'mine' }])
  })

  test('an event waits for what it answers, at most two seconds, and those behind it', async () => {
    const dependencies = (topic: string, e: { offset: number }) => (topic === a && e.offset === 8 ? [{ topic: b, cursor: at(5) }] : [])
    const { connection, peer, id, told } = await follow({ from: at(7) }, { dependencies })
    connection.follow(b, (u) => told.push(`b: ${say(u)}`), { from: at(4) })
    await rest()
    const [second] = peer.take('subscribe')
    peer.say(live(id), subscribed(second?.id ?? 0, { topic: b, start: at(4), head: at(4) }), events(a, [8]), events(a, [9], { after: 8, upto: 10 }))
    await rest(1_999)
    expect(told).toEqual(['live', 'b: live'])
    peer.say(events(b, [5]))
    expect(told.slice(2)).toEqual(['b: 5@5', '8,9@10'])
    expect(connection.violations).toBe(0)
  })

  test('nothing waits for a topic that is not followed now', async () => {
    const { connection, peer, id, told } = await follow({ from: at(7) }, { dependencies: () => [{ topic: b, cursor: at(5) }] })
    connection.follow(b, () => undefined, { from: at(4) })
    peer.say(live(id), events(a, [8])) // its Subscribed did not come yet
    expect(told).toEqual(['live', '8@8'])
  })

  test('what never comes is not waited for longer; what is held comes again over the next connection', async () => {
    const dependencies = (topic: string, e: { offset: number }) => (topic === a && e.offset % 2 === 0 ? [{ topic: b, cursor: at(50) }] : [])
    const { edge, connection, peer, id, told } = await follow({ from: at(7) }, { dependencies })
    connection.follow(b, () => undefined, { from: at(4) })
    await rest()
    const [second] = peer.take('subscribe')
    peer.say(live(id), subscribed(second?.id ?? 0, { topic: b, start: at(4), head: at(4) }), events(a, [8, 9]))
    await rest(2_000)
    expect(told).toEqual(['live', '8@8', '9@9'])
    expect(connection.violations).toBe(1)
    peer.say(events(a, [10]))
    await rest(500)
    peer.hangUp(1006)
    await rest(251)
    expect(edge.last.take('subscribe')[0]?.wants).toMatchObject([{ cursor: at(9) }, { cursor: at(4) }])
    await rest(10_000)
    expect(told.at(-1)).toBe('paused')
  })
})
