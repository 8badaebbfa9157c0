import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeLocks } from '../../test/fake-locks.ts'
import { FakeSession } from '../../test/fake-session.ts'
import { Hall, Line, Tape } from '../../test/hall.ts'
import { ServerError } from '../errors.ts'
import { message } from '../method.ts'
import { MemoryStore } from '../outbox/memory.ts'
import { history, markRead, send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { HistoryResponse, SendRequest, SendResponse } from '../proto/plenum/chat/v1/chat.ts'
import { Event, type Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { Session, State, Update } from '../session.ts'
import { elect } from './election.ts'
import { aliveEvery, Host, silences } from './host.ts'
import { overWorker } from './join.ts'
import type { Port } from './port.ts'
import { rawMethod } from './raw.ts'
import { mostAsks, openAgain, Remote } from './remote.ts'
import { serveWorker, type Scope } from './worker.ts'

const at = (offset: number): Cursor => ({ epoch: 1, offset })
const events = (...offsets: number[]): Update => ({
  kind: 'events',
  events: offsets.map((offset) => message(Event, { offset, body: new Uint8Array([offset]) })),
  cursor: at(offsets.at(-1) ?? 0),
})

/** open holds all ports and channels, to be closed behind a test. */
const open: { close(): void }[] = []
afterEach(() => {
  for (const o of open.splice(0)) o.close()
  vi.useRealTimers()
})

/** until waits for what comes over ports. */
const until = (what: () => unknown) => vi.waitUntil(what, { timeout: 10_000, interval: 1 })
/** crossed waits until all that was said so far has been heard, both ways. */
const crossed = async () => { for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve)) }

const fakeSession = (store = new MemoryStore(), hall = new Hall(new Tape([]))) => FakeSession.open(store, new Line(hall))

async function hosted(locks?: FakeLocks) {
  const session = await fakeSession()
  const host = new Host(session, locks?.page().locks)
  open.push({ close: () => { host.close() } })
  const tab = async (remote = new Remote()) => {
    const { port1, port2 } = new MessageChannel()
    open.push(port1, port2)
    remote.attach(port2)
    host.serve(port1)
    await remote.ready
    return remote
  }
  return { session, host, tab }
}

describe('a tab', () => {
  test('has the state of the session, with its causes', async () => {
    const { session, tab } = await hosted()
    const a = await tab()
    expect(a.state).toEqual(session.state)
    const told: State[] = []
    a.onState((state) => told.push(state))
    const cause = new ServerError(4100, 'edge.DRAINING', 'Wait.', 'f', 5)
    session.turn({ kind: 'offline', since: 1, retryAt: 2, cause })
    await until(() => told.length)
    expect(told[0]).toEqual({ kind: 'offline', since: 1, retryAt: 2, cause })
    expect((told[0] as { cause: unknown }).cause).toBeInstanceOf(ServerError)
  })

  test('calls, is answered, and gives up', async () => {
    const { session, tab } = await hosted()
    const a = await tab()
    const [good, bad] = [a.call(send, { text: 'a' }, { onlyOnline: true }), a.call(history, {})]
    const stop = new AbortController()
    const given = a.call(markRead, {}, { signal: stop.signal })
    await until(() => session.calls.length === 3)
    expect(session.calls.map((c) => [c.name, c.kind, c.options.onlyOnline])).toMatchObject([
      ['plenum.chat.v1.ChatService/Send', 'change', true],
      ['plenum.chat.v1.ChatService/History', 'read', false],
      ['plenum.chat.v1.ChatService/MarkRead', 'change', false],
    ])
    expect(SendRequest.decode(session.calls[0]?.body ?? new Uint8Array()).text).toBe('a')
    session.calls[0]?.reply(SendResponse.encode(message(SendResponse, { offset: 7 })).finish())
    session.calls[1]?.fail(new ServerError(101, 'chat.CHANNEL', 'None.'))
    expect((await good).offset).toBe(7)
    await expect(bad).rejects.toEqual(new ServerError(101, 'chat.CHANNEL', 'None.'))
    stop.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await until(() => session.calls[2]?.options.signal?.aborted)
    await expect(a.call(send, {}, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  })

  test('has the outbox that all have', async () => {
    const { session, tab } = await hosted()
    const [a, b] = [await tab(), await tab()]
    const note = { shown: 'hello' }
    const told: (string | undefined)[] = []
    b.outbox.onChange((entries) => told.push(entries[0]?.state))
    const seq = await a.outbox.put(send, { channel: 'c', text: 'hello' }, { lane: 'c', note })
    expect(a.outbox.clientId).toBe('me')
    expect((await a.outbox.answer(seq, send))?.timeMs).toBe(5)
    await until(() => told.includes('sent') && b.outbox.entries.length === 0)
    await expect(a.outbox.put(history, {}, { lane: 'c' })).rejects.toThrow(TypeError)
    await expect(a.outbox.put(send, {}, { lane: 'c', note: () => 1 })).rejects.toThrow()
    session.outbox.attach({ up: true, onUp: () => () => undefined, send: () => Promise.reject(new ServerError(103, 'chat.ARCHIVED', 'No.')) })
    const refused = await b.outbox.put(send, { channel: 'c', text: 'x' }, { lane: 'c', note })
    await until(() => a.outbox.entries[0]?.state === 'refused')
    expect(a.outbox.entries).toMatchObject([{ seq: refused, note, cause: { code: 103, reason: 'chat.ARCHIVED' } }])
    await expect(a.outbox.answer(refused, send)).rejects.toMatchObject({ reason: 'chat.ARCHIVED' })
    await a.outbox.retry(refused)
    await until(() => a.outbox.entries[0]?.state === 'refused' && a.outbox.entries[0].seq > refused)
    const c = await tab() // has all that is there
    const [again] = c.outbox.entries
    c.outbox.settle('7')
    c.outbox.settle(again?.mutation ?? '')
    await until(() => a.outbox.entries.length === 0)
    expect(await a.outbox.drop(again?.seq ?? 0)).toBe(false)
  })

  test('follows what others follow, once, and no longer than it lives', async () => {
    const locks = new FakeLocks()
    const { session, tab } = await hosted(locks)
    const page = locks.page()
    void page.locks.request('tab-b', () => new Promise(() => undefined))
    const [a, b] = [await tab(), await tab(new Remote('tab-b'))]
    const heard: Update[][] = [[], []]
    const first = a.follow('chat.channel/c', (u) => heard[0]?.push(u), { from: at(5) })
    await until(() => session.followings.length)
    session.followings[0]?.tell({ kind: 'live', head: at(5) })
    session.followings[0]?.tell(events(6))
    const second = b.follow('chat.channel/c', (u) => heard[1]?.push(u), { from: at(5) })
    await until(() => heard[1]?.length === 2)
    expect(heard[1]).toEqual([{ kind: 'live', head: at(6) }, events(6)])
    second.signal('typing', new Uint8Array([1]))
    await until(() => session.followings[0]?.signals.length)
    first.close()
    await crossed()
    expect([session.followings.length, session.followings[0]?.closed]).toEqual([1, false])
    page.die()
    await until(() => session.followings[0]?.closed)
    expect(heard[0]).toHaveLength(2)
  })

  test('resumes, ends, and is heard no more', async () => {
    const { session, tab } = await hosted()
    const a = await tab()
    const heard: Update[] = []
    const following = a.follow('chat.channel/c', (u) => heard.push(u), { from: at(5), types: ['posted'], heads: false })
    await until(() => session.followings.length)
    expect(session.followings[0]?.options).toEqual({ from: at(5), types: ['posted'], heads: false })
    session.followings[0]?.tell({ kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', '') })
    await until(() => heard.length)
    expect(heard[0]).toEqual({ kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', '') })
    following.resume(at(9))
    await until(() => session.followings[0]?.resumed.length)
    session.followings[0]?.tell({ kind: 'ended', cause: new ServerError(340, 'edge.REVOKED', '') })
    await until(() => heard.length === 2)
    following.close()
    a.active()
    a.probe()
    await until(() => session.heard.length === 2)
    a.close()
    await expect(a.call(history, {})).rejects.toMatchObject({ reason: 'client.CLOSED' })
    expect(session.heard).toEqual(['active', 'probe'])
  })

  test('that answers no more is forgotten, and comes back', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { session, tab } = await hosted()
    const [a, b] = [await tab(), await tab()]
    const heard: Update[] = []
    a.follow('chat.channel/c', (u) => heard.push(u), { from: at(5) })
    await until(() => session.followings.length)
    const read = a.call(history, {})
    const change = a.call(send, {})
    await until(() => session.calls.length === 2)
    await crossed()
    const frozen = vi.spyOn(MessagePort.prototype, 'postMessage').mockImplementation(() => undefined) // nobody says anything
    for (let i = 0; i <= silences; i++) vi.advanceTimersByTime(aliveEvery)
    frozen.mockRestore()
    expect(session.followings[0]?.closed).toBe(true)
    a.active() // it lives
    await until(() => session.followings.length === 2 && session.calls.length === 4)
    expect(session.followings[1]?.options.from).toEqual(at(5))
    const again = (kind: string) => session.calls.slice(2).find((call) => call.kind === kind)
    again('read')?.reply(HistoryResponse.encode(message(HistoryResponse, {})).finish())
    await read
    expect(again('change')?.options.seq).toBe(session.calls.find((call) => call.kind === 'change')?.options.seq)
    again('change')?.reply(SendResponse.encode(message(SendResponse, { offset: 7 })).finish())
    expect((await change).offset).toBe(7)
    for (let i = 0; i <= 2 * silences; i++) {
      vi.advanceTimersByTime(aliveEvery)
      await crossed()
    }
    expect(session.followings[1]?.closed).toBe(false) // a and b answer
    b.close()
  })

  test('asks so much of a host that is not there, and no more', async () => {
    const remote = new Remote()
    const all: Promise<unknown>[] = Array.from({ length: mostAsks }, (_, seq) => remote.outbox.answer(seq, send)) // of what waits in the outbox
    all.push(...Array.from({ length: mostAsks }, () => remote.call(history, {})))
    await expect(remote.call(history, {})).rejects.toMatchObject({ code: 202, reason: 'client.TOO_MANY_CALLS' })
    remote.close()
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(all.map(() => 'rejected'))
  })
})

test('a worker serves all that connect, and tells who comes when it can not', async () => {
  const scope: Scope = { onconnect: null }
  let opened = 0
  let session: FakeSession | undefined
  serveWorker(scope, async () => {
    if (++opened === 1) throw new ServerError(100, 'client.BROKEN', 'No database.')
    return (session = await fakeSession())
  }, undefined)
  const connect = () => {
    const { port1, port2 } = new MessageChannel()
    open.push(port1, port2)
    const remote = new Remote()
    remote.attach(port2)
    scope.onconnect?.(new MessageEvent('connect', { ports: [port1] }))
    return remote
  }
  await expect(connect().ready).rejects.toMatchObject({ reason: 'client.BROKEN' })
  await Promise.all([connect().ready, connect().ready])
  expect(opened).toBe(2)
  session?.close()
})

test('a worker whose session has ended opens another one for who signs in again', async () => {
  const scope: Scope = { onconnect: null }
  const sessions: FakeSession[] = []
  serveWorker(scope, async () => {
    const session = await fakeSession()
    sessions.push(session)
    return session
  }, {}, undefined)
  const connect = () => {
    const { port1, port2 } = new MessageChannel()
    open.push(port1, port2)
    const remote = new Remote()
    remote.attach(port2)
    scope.onconnect?.(new MessageEvent('connect', { ports: [port1] }))
    return remote
  }
  for (const kind of ['signed-out', 'wiped', 'outdated'] as const) {
    const before = connect()
    await before.ready
    const old = sessions.at(-1)
    const cause = new ServerError(102, 'identity.SESSION_ENDED', 'Sign in again.')
    old?.turn({ kind, since: 1, cause })
    before.close()
    const [a, b] = [connect(), connect()]
    await Promise.all([a.ready, b.ready])
    expect([a.state.kind, b.state.kind]).toEqual(['online', 'online'])
    expect(sessions.at(-2)).toBe(old)
    await expect(old?.outbox.put(send, { channel: 'c', text: 'x' }, { lane: 'c' })).rejects.toMatchObject({ reason: 'client.CLOSED' }) // its outbox is the new one's
  }
  expect(sessions).toHaveLength(4)
  sessions.at(-1)?.close()
})

test('a worker that dies is made anew, and all go on', async () => {
  const locks = new FakeLocks()
  const sessions: FakeSession[] = []
  const made: { scope: Scope; die: () => void }[] = []
  const start = () => {
    const scope: Scope = { onconnect: null }
    const page = locks.page()
    serveWorker(scope, async () => {
      const session = await fakeSession()
      sessions.push(session)
      return session
    }, {}, page.locks)
    made.push({ scope, die: page.die })
  }
  const worker = () => {
    const { port1, port2 } = new MessageChannel()
    open.push(port1, port2)
    made.at(-1)?.scope.onconnect?.(new MessageEvent('connect', { ports: [port1] }))
    return { port: port2 as Port }
  }
  start()
  const tabs = await Promise.all(['a', 'b'].map((tab) => overWorker(worker, tab, locks.page().locks)))
  await Promise.all(tabs.map((tab) => tab.ready))
  const heard: Update[] = []
  tabs[1]?.follow('chat.channel/c', (u) => heard.push(u), { from: at(5) })
  await until(() => sessions[0]?.followings.length)
  const dead = made[0]
  start()
  dead?.die()
  await until(() => sessions[1]?.followings.length)
  expect(sessions[1]?.followings[0]?.options.from).toEqual(at(5))
  expect(heard).toEqual([{ kind: 'paused' }])
  for (const tab of tabs) tab.close()
  await until(() => sessions[1]?.followings[0]?.closed)
  for (const session of sessions) session.close()
})

test('a listener that throws is its own fault', async () => {
  const thrown: unknown[] = []
  const caught = (e: unknown) => thrown.push(e)
  process.on('uncaughtException', caught)
  const { session, tab } = await hosted()
  const remote = new Remote()
  const mine = () => { throw new Error('mine') }
  remote.onState(mine)
  remote.outbox.onChange(mine)
  remote.follow('chat.channel/c', mine, { from: at(5) })
  await tab(remote)
  await until(() => session.followings.length)
  session.followings[0]?.tell({ kind: 'live', head: at(5) })
  await remote.outbox.put(send, { channel: 'c', text: 'x' }, { lane: 'c' })
  await until(() => thrown.length >= 4)
  process.off('uncaughtException', caught)
  expect(new Set(thrown.map(String))).toEqual(new Set(['Error: mine']))
})

test('a worker whose script can not be loaded is told, and tried again once there was one', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let session: FakeSession | undefined
  let broken = false
  const scope: Scope = { onconnect: null }
  serveWorker(scope, async () => {
    if (broken) throw new ServerError(100, 'client.BROKEN', 'No database.')
    return (session = await fakeSession())
  }, {}, undefined)
  let loads = false
  const worker = () => {
    const { port1, port2 } = new MessageChannel()
    open.push(port1, port2)
    if (loads) scope.onconnect?.(new MessageEvent('connect', { ports: [port1] }))
    return { port: port2 as Port, addEventListener: (_: 'error', failed: () => void) => { if (!loads) queueMicrotask(failed) } }
  }
  await expect((await overWorker(worker, 'a', undefined)).ready).rejects.toMatchObject({ reason: 'client.NO_WORKER' })

  loads = true
  const locks = new FakeLocks()
  const remote = await overWorker(worker, 'b', locks.page().locks)
  await remote.ready
  session?.turn({ kind: 'signed-out', since: 1, cause: new ServerError(102, 'identity.SESSION_ENDED', 'Sign in again.') }) // the next one opens another session
  broken = true
  const put = remote.outbox.put(send, { channel: 'c', text: 'x' }, { lane: 'c' })
  remote.attach(worker().port)
  await until(() => remote.state.kind === 'offline')
  expect(remote.state).toMatchObject({ cause: { reason: 'client.BROKEN' } })
  broken = false
  const later = remote.outbox.put(send, { channel: 'c', text: 'y' }, { lane: 'c' })
  await vi.advanceTimersByTimeAsync(openAgain)
  await until(() => remote.state.kind === 'online')
  expect(await later).toBeGreaterThan(0)
  await put.catch(() => undefined)
  remote.close()
  session?.close()
})

/** Browser is one whose pages come and go, over one store and one hall. */
class Browser {
  readonly locks = new FakeLocks()
  readonly store = new MemoryStore()
  readonly hall = new Hall(new Tape([]))
  /** What pages say to each other, and nobody hears. */
  lost: (message: unknown) => boolean = () => false
  /** The sessions that pages have opened, in order. */
  readonly sessions: { session: FakeSession; line: Line; page: string }[] = []
  #name = `u${++browsers}`

  async page(page: string, open?: () => Promise<Session>) {
    const { locks, die } = this.locks.page()
    const channels = new Set<Port>()
    const remote = elect({
      name: this.#name,
      tab: page,
      locks,
      open: open ?? (async () => {
        const line = new Line(this.hall)
        const session = await FakeSession.open(this.store, line)
        this.sessions.push({ session, line, page })
        return session
      }),
      channel: (name) => {
        const channel = new BroadcastChannel(name)
        const post = channel.postMessage.bind(channel)
        channel.postMessage = (m) => { if (!this.lost(m)) post(m) }
        channels.add(channel)
        return channel
      },
    })
    const kill = () => {
      for (const channel of channels) {
        channel.close()
        channel.postMessage = () => undefined // what runs on in this process can't be heard
      }
      const mine = this.sessions.find((s) => s.page === page)
      mine?.line.die()
      mine?.session.outbox.close()
      die()
    }
    closeAll.push(kill)
    await remote.ready
    return { remote, kill }
  }

  get last(): FakeSession {
    const last = this.sessions.at(-1)
    if (last === undefined) throw new Error('none')
    return last.session
  }
}

let browsers = 0
const closeAll: (() => void)[] = []
beforeEach(() => { closeAll.length = 0 })
afterEach(() => { for (const close of closeAll) close() })

describe('where pages choose a leader', () => {
  test('ten of them have one session', async () => {
    const browser = new Browser()
    const pages = await Promise.all(Array.from({ length: 10 }, (_, i) => browser.page(`p${i}`)))
    const seqs = await Promise.all(pages.map(({ remote }, i) => remote.outbox.put(send, { channel: 'c', text: `${i}` }, { lane: 'c' })))
    await until(() => browser.hall.done.length === 10)
    expect(browser.hall.done.map((d) => d.seq)).toEqual([...seqs].sort((a, b) => a - b))
    expect(browser.sessions).toHaveLength(1)
  })

  test('another takes over when it dies: all go on from their cursors, and nothing is lost or doubled', async () => {
    const browser = new Browser()
    const [a, b, c] = [await browser.page('a'), await browser.page('b'), await browser.page('c')]
    expect(browser.sessions.map((s) => s.page)).toEqual(['a'])
    const states: string[] = []
    b.remote.onState((s) => states.push(s.kind))
    const heard: Update[][] = [[], []]
    const [inB] = [b, c].map((page, i) => page.remote.follow('chat.channel/c', (u) => heard[i]?.push(u), { from: at(5) }))
    await until(() => browser.last.followings.length)
    browser.last.followings[0]?.tell({ kind: 'live', head: at(5) })
    browser.last.followings[0]?.tell(events(6, 7))
    await until(() => heard.every((h) => h.length === 2))
    const [read, change] = [c.remote.call(history, {}), c.remote.call(send, {})]
    const doubtful = [c.remote.call(send, {}, { onlyOnline: true }), c.remote.call(rawMethod('once', 'once'), {})]
    for (const call of doubtful) call.catch(() => undefined)
    await until(() => browser.last.calls.length === 4)
    await crossed()
    const numbered = browser.last.calls.find((call) => call.kind === 'change' && !call.options.onlyOnline)?.options.seq
    browser.sessions[0]?.line.cut() // what is put now waits
    const waiting = await c.remote.outbox.put(send, { channel: 'c', text: 'waits' }, { lane: 'c', note: 'n' })
    a.kill()
    const behind = b.remote.outbox.put(send, { channel: 'c', text: 'behind' }, { lane: 'c' }) // nobody is there
    await until(() => browser.sessions.length === 2)
    expect(browser.sessions[1]?.page).toBe('b')
    for (const call of doubtful) await expect(call).rejects.toMatchObject({ code: 201, reason: 'client.LOST' })
    await until(() => browser.last.calls.length === 2 && browser.last.followings.length > 0)
    browser.last.calls.find((call) => call.kind === 'read')?.reply(HistoryResponse.encode(message(HistoryResponse, {})).finish())
    await read
    const again = browser.last.calls.find((call) => call.kind === 'change') // by the number that it had, so that it takes place once
    expect([numbered, again?.options.seq]).toEqual([expect.any(Number), numbered])
    again?.reply(SendResponse.encode(message(SendResponse, { offset: 7 })).finish())
    expect((await change).offset).toBe(7)
    expect(browser.last.followings.map((f) => f.options.from)).toEqual([at(7)])
    browser.last.followings[0]?.tell({ kind: 'live', head: at(8) })
    browser.last.followings[0]?.tell(events(8))
    await until(() => heard.every((h) => h.at(-1)?.kind === 'events' && h.length > 2))
    const live = (n: number): Update => ({ kind: 'live', head: at(n) })
    for (const h of heard) expect(h.filter((u, i) => u.kind !== 'live' || h[i - 1]?.kind !== 'live')).toEqual([live(5), events(6, 7), { kind: 'paused' }, live(8), events(8)])
    expect(states).toEqual(['connecting', 'online'])
    await until(() => browser.hall.done.length === 2)
    expect(browser.hall.done).toMatchObject([{ seq: waiting, text: 'waits' }, { seq: await behind, text: 'behind' }])
    inB?.close()
    c.kill()
    await until(() => browser.last.followings[0]?.closed)
  })

  test('a change whose number nobody heard may have taken place: it is not called again', async () => {
    const browser = new Browser()
    const [a, b] = [await browser.page('a'), await browser.page('b')]
    browser.lost = (m) => (m as { kind: string }).kind === 'numbered'
    const change = b.remote.call(send, {})
    change.catch(() => undefined)
    await until(() => browser.last.calls.length === 1)
    await crossed()
    a.kill()
    browser.lost = () => false
    await expect(change).rejects.toMatchObject({ code: 201, reason: 'client.LOST' })
    await until(() => b.remote.state.kind === 'online')
    expect(browser.last.calls).toEqual([])
  })

  test('a put that nobody heard of is put once', async () => {
    const browser = new Browser()
    const [a, b] = [await browser.page('a'), await browser.page('b')]
    browser.sessions[0]?.line.cut()
    browser.sessions[0]?.line.die()
    browser.lost = (m) => (m as { kind: string }).kind === 'reply'
    const put = b.remote.outbox.put(send, { channel: 'c', text: 'once' }, { lane: 'c' })
    await until(() => browser.last.outbox.entries.length === 1) // stored
    await crossed()
    a.kill() // before b has heard it
    browser.lost = () => false
    const seq = await put
    await until(() => browser.hall.done.length > 0)
    await until(() => b.remote.outbox.entries.length === 0)
    expect(browser.hall.done.map((d) => d.seq)).toEqual([seq])
  })

  test('one that closes its session leaves it to the next', async () => {
    const browser = new Browser()
    const [a, b] = [await browser.page('a'), await browser.page('b')]
    a.remote.close()
    await until(() => browser.sessions.length === 2)
    expect(browser.sessions[0]?.session.heard).toEqual(['close'])
    await until(() => b.remote.state.kind === 'online')
    expect(browser.sessions[1]?.page).toBe('b')
  })

  test('one that closes its session and lives on answers nobody any more', async () => {
    const browser = new Browser()
    const [a, , c] = [await browser.page('a'), await browser.page('b'), await browser.page('c')]
    a.remote.close() // signs in as somebody else, and stays
    await until(() => browser.sessions.length === 2 && c.remote.state.kind === 'online')
    await crossed()
    c.remote.active() // a key is pressed
    await crossed()
    for (const text of ['0', '1', '2']) await c.remote.outbox.put(send, { channel: 'c', text }, { lane: 'c' })
    await until(() => browser.hall.done.length === 3)
    expect(browser.hall.done.map((d) => d.text)).toEqual(['0', '1', '2'])
  })

  test('one that waits to be resumed, waits over a change of the leader', async () => {
    const browser = new Browser()
    const [a, b] = [await browser.page('a'), await browser.page('b')]
    const heard: Update[] = []
    const following = b.remote.follow('chat.channel/c', (u) => heard.push(u), { from: at(5) })
    await until(() => browser.last.followings.length)
    browser.last.followings[0]?.tell({ kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', '') })
    await until(() => heard.length)
    a.kill()
    await until(() => browser.sessions.length === 2 && b.remote.state.kind === 'online')
    await crossed()
    expect(browser.last.followings).toEqual([])
    following.resume(at(9))
    await until(() => browser.last.followings.length)
    expect(browser.last.followings[0]?.options.from).toEqual(at(9))
  })

  test('one that can not open the session tells so, and another may', async () => {
    const browser = new Browser()
    await expect(browser.page('a', () => Promise.reject(new ServerError(100, 'client.BROKEN', 'No database.')))).rejects.toMatchObject({ reason: 'client.BROKEN' })
    const b = await browser.page('b')
    expect([browser.sessions.map((s) => s.page), b.remote.state.kind]).toEqual([['b'], 'online'])
  })
})
