import 'fake-indexeddb/auto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { act, doings, steps } from '../../test/chance.ts'
import { ChannelLog } from '../../test/channel.ts'
import { Server, TestSession } from '../../test/session.ts'
import { Code, ServerError } from '../errors.ts'
import { encode, message } from '../method.ts'
import { leaveChannel, send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Badge, Channel, ChannelKind, Draft, Marker, Mention, MyThread, Thread } from '../proto/plenum/chat/v1/chat.ts'
import { Head } from '../proto/plenum/edge/v1/edge.ts'
import { Person } from '../proto/plenum/identity/v1/model.ts'
import { PAUSE_MS } from './book.ts'
import { Cache } from './cache/cache.ts'
import { search } from './cache/search.ts'
import { unread } from './channels.ts'
import { shown } from './overlay.ts'
import { MEET_MS, Recorder, WARM } from './recorder.ts'
import { AGAIN_MS, FOUND, IN_VAIN, SOON_MS } from './renames.ts'
import { FAR, PAGE, type Room, type View } from './room.ts'

const me = 'ada'

/** rest lets all that doesn't wait for a timer take place: the database's requests take a turn of the event loop each. */
async function rest(turns = 80): Promise<void> {
  for (let n = 0; n < turns; n++) await new Promise((done) => setImmediate(done))
}

const follows = (p: Page) => p.session.followings.flatMap((f) => (f.open ? [f.topic] : []))
const texts = (v: View) => v.window?.messages.map((m) => m.text)

class Page {
  readonly session: TestSession
  readonly faults: unknown[] = []
  recorder: Recorder
  room: Room | undefined

  constructor(server: Server, cache: Cache | undefined, online = true) {
    this.session = new TestSession(server, online)
    this.recorder = new Recorder({ session: this.session, me, cache, onFault: (e) => this.faults.push(e) })
  }

  static async at(server: Server, online = true, kept = true): Promise<Page> {
    const page = new Page(server, kept ? await Cache.open(me) : undefined, online)
    await page.recorder.start()
    await rest()
    return page
  }

  async view(channel: string, root = 0): Promise<View> {
    const view = this.recorder.open(channel).view(root)
    await rest()
    return view
  }

  async quit(): Promise<void> {
    await rest()
    this.recorder.close()
    this.session.close()
    expect(this.faults).toEqual([])
  }
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'], now: 1_000 })
  await Cache.wipe(me)
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a recorder', () => {
  test('paints from the cache before the network answers, and catches up without reading anew', async () => {
    const server = new Server()
    for (let n = 0; n < 3; n++) server.log('c').post('bob', `${n}`)
    const first = await Page.at(server)
    expect(texts(await first.view('c'))).toEqual(['0', '1', '2'])
    expect([...first.recorder.channels.values()].map((e) => [e.channel?.name, unread(e)])).toEqual([['#c', 3]])
    await first.quit()

    server.log('c').post('bob', '3')
    const second = await Page.at(server, false)
    expect([...second.recorder.channels.values()].map((e) => e.channel?.name)).toEqual(['#c'])
    expect(second.recorder.directory.people.get('ada')?.displayName).toBe('Ada')
    const view = await second.view('c')
    expect(texts(view)).toEqual(['0', '1', '2'])
    expect(second.session.calls).toEqual([])
    second.session.online = true
    await rest()
    expect(texts(view)).toEqual(['0', '1', '2', '3'])
    expect(second.session.calls).not.toContain('History')
    await second.quit()
  })

  test('has the inbox without the network, counts what its first pages lack, and reads older ones when it is asked to', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const thread = (root: number, unread: number) => message(MyThread, { channel: 'c', thread: message(Thread, { root, replies: 1, lastReply: root + 100 }), unread, following: true })
    const pages: Record<string, object> = {
      'ListThreads ': { threads: [thread(1, 0)], next: 'a' },
      'ListThreads  unread': { threads: [thread(2, 3)], next: '' },
      'ListThreads a': { threads: [thread(3, 0)], next: '' },
      'ListMentions ': { mentions: [message(Mention, { channel: 'c', offset: 9, timeMs: 9 })], next: 'b' },
      'ListMentions b': { mentions: [message(Mention, { channel: 'c', offset: 8, timeMs: 8 })], next: 'c' },
      'ListMentions c': { mentions: [message(Mention, { channel: 'c', offset: 7, timeMs: 7 })], next: '' },
    }
    const answer = server.answer.bind(server)
    server.answer = (name, q) => {
      const { page, unread: only } = q as { page?: string; unread?: boolean }
      return pages[`${name.slice(name.indexOf('/') + 1)} ${page ?? ''}${only ? ' unread' : ''}`] ?? answer(name, q)
    }
    server.heads = () => [message(Head, { topic: 'chat.channel/c', epoch: 1, offset: 9, count: 9, badge: encode(Badge, { marker: message(Marker, { offset: 7 }), mentions: 2 }) })]
    const page = await Page.at(server)
    const has = (p: Page) => [[...p.recorder.inbox.threads.values()].map((t) => [t.thread?.root, t.unread]), p.recorder.inbox.mentions.map((m) => m.offset)]
    expect(has(page)).toEqual([[[1, 0], [2, 3]], [9, 8]]) // the second page has what the badge counts
    expect(page.recorder.hasOlder('mentions')).toBe(true)
    await page.recorder.older('mentions')
    await page.recorder.older('threads')
    expect(has(page)).toEqual([[[1, 0], [2, 3], [3, 0]], [9, 8, 7]])
    expect([page.recorder.hasOlder('mentions'), page.recorder.hasOlder('threads')]).toEqual([false, false])
    server.tellUser({ $case: 'unmentioned', value: { channel: 'c', offset: 8 } })
    await rest()
    await page.quit()

    const offline = await Page.at(server, false)
    expect(has(offline)).toEqual([[[1, 0], [2, 3], [3, 0]], [9, 7]])
    await offline.quit()
  })

  test('stays where one has jumped to while the channel is read for the first time', async () => {
    const server = new Server()
    for (let n = 1; n <= 200; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const view = page.recorder.open('c').view(0)
    await view.jump({ offset: 20 })
    await rest()
    expect(texts(view)).toContain('20')
    await view.newer()
    await view.latest()
    expect(texts(view)?.at(-1)).toBe('200')
    page.session.online = false
    const calls = page.session.calls.length
    await view.jump({ offset: 180 })
    expect(texts(view)).toContain('180')
    await view.newer()
    expect(texts(view)?.at(-1)).toBe('200')
    expect(page.session.calls.length).toBe(calls)
    await page.quit()
  })

  test('misses nothing that is told while a view is read from the cache, and settles what an event shows to be done', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    await page.view('c')
    const view = page.recorder.open('c').view(0)
    await rest(1)
    server.log('c').post('bob', 'two')
    server.flush()
    await rest()
    expect(texts(view)).toEqual(['one', 'two'])
    await page.session.outbox.put(send, { channel: 'c', text: 'three' }, { lane: 'c' })
    const [p] = page.session.entries
    server.log('c').post(me, 'three', { mutation: p?.mutation ?? '' })
    server.flush()
    await rest()
    expect(page.session.entries).toEqual([])
    expect(view.window && shown(view.window, page.recorder.outgoing).map((i) => i.message.text)).toEqual(['one', 'two', 'three'])
    await page.quit()
  })

  test('keeps channels ready that were opened last, also while they are not open', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const first = await Page.at(server)
    await first.view('c')
    first.recorder.leave('c')
    await first.quit()
    const second = await Page.at(server)
    server.log('c').post('bob', 'two')
    server.flush()
    await second.quit()
    const third = await Page.at(server, false)
    expect(texts(await third.view('c'))).toEqual(['one', 'two'])
    await third.quit()
  })

  test('keeps none ready, nor pushes one out, for a little that is shown of it among others', async () => {
    const server = new Server()
    const many = Array.from({ length: WARM + 5 }, (_, n) => `other ${n}`)
    for (const c of ['c', ...many]) server.log(c).post('bob', 'one')
    const first = await Page.at(server)
    await first.view('c')
    first.recorder.leave('c')
    const glances = many.map((c) => first.recorder.glance(c).view(1))
    for (let n = 0; n < 100 && !glances.every((v) => v.window); n++) await rest()
    expect(glances.map((v) => texts(v)?.[0])).toEqual(many.map(() => 'one'))
    for (const [n, v] of glances.entries()) {
      v.close()
      first.recorder.leave(many[n] ?? '')
    }
    expect(follows(first).filter((topic) => topic.startsWith('chat.channel/'))).toEqual(['chat.channel/c'])
    await first.quit()
    const second = await Page.at(server)
    await rest()
    expect(follows(second).filter((topic) => topic.startsWith('chat.channel/'))).toEqual(['chat.channel/c'])
    await second.quit()
  })

  test('shows a channel that was left at once, as it is now, and follows no more than WARM that nobody looks at', async () => {
    const server = new Server()
    for (let n = 1; n <= 3 * PAGE; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const quit = (channel: string, view: View) => {
      view.close()
      page.recorder.leave(channel)
    }
    const first = await page.view('c')
    await first.older()
    quit('c', first)
    server.log('c').post('bob', 'meanwhile')
    server.flush()
    await rest()
    const again = page.recorder.open('c').view(0)
    expect([texts(again)?.length, texts(again)?.at(-2), texts(again)?.at(-1)]).toEqual([PAGE + 1, `${3 * PAGE}`, 'meanwhile'])
    const calls = page.session.calls.length
    await again.older()
    expect(texts(again)?.[0]).toBe(`${PAGE + 1}`)
    expect(page.session.calls.length).toBe(calls) // what lies before is still kept on disk
    quit('c', again)

    for (let n = 0; n < WARM; n++) server.log(`other ${n}`).post('bob', 'hello')
    server.flush()
    await rest()
    for (let n = 0; n < WARM; n++) quit(`other ${n}`, await page.view(`other ${n}`))
    expect(follows(page)).not.toContain('chat.channel/c')
    expect(follows(page)).toContain('chat.channel/other 0')
    await page.quit()
  })

  test('reads a channel anew whose log was lost, or which is too far ahead, and forgets one that it may not read', async () => {
    const server = new Server()
    server.log('c').post('bob', 'before')
    const first = await Page.at(server)
    const view = await first.view('c')
    server.logs.set('c', new ChannelLog(8))
    server.log('c').post('bob', 'after')
    server.flush()
    await rest()
    expect(texts(view)).toEqual(['after'])
    await first.quit()
    for (let n = 0; n < FAR + 1; n++) server.log('c').react('bob', 1, '+1', n % 2 === 1)
    server.log('c').post('bob', 'far')
    const second = await Page.at(server, false)
    const later = await second.view('c')
    expect(texts(later)).toEqual(['after'])
    second.session.online = true
    await rest()
    expect(texts(later)).toEqual(['after', 'far'])
    const room = second.recorder.open('c')
    const following = second.session.followings.filter((f) => f.topic === 'chat.channel/c').at(-1)
    following?.told({ kind: 'ended', cause: new ServerError(340, 'edge.REVOKED', 'No more.') })
    await rest()
    expect(room.state.kind).toBe('ended')
    expect(await (await Cache.open(me)).window('c', 0, 1)).toBeUndefined()
    await second.quit()
  })

  test('forgets a channel that the reader left or was removed from, whichever tells so first, and of which nothing is open', async () => {
    const removed = { $case: 'channel', value: { channel: 'c', removed: true, kind: ChannelKind.PRIVATE } } as const
    const ways: ((page: Page, server: Server) => void)[] = [
      (_, server) => { server.tellUser(removed) },
      (_, server) => { server.heads = () => [message(Head, { topic: 'chat.channel/c', removed: true })]; server.flush() },
      (page, server) => { // while it was away
        const mine = page.session.followings.find((f) => f.topic === 'chat.mine/me')
        if (mine !== undefined) mine.cursor = undefined
        server.flush()
      },
      (page) => {
        void page.session.outbox.put(leaveChannel, { channel: 'c' }, { lane: 'c' })
        page.session.accept({})
      },
    ]
    for (const way of ways) {
      const server = new Server()
      server.log('c').post('bob', 'secret plan')
      const first = await Page.at(server)
      await first.view('c')
      await first.quit()
      const page = await Page.at(server)
      page.recorder.leave('c') // it isn't kept ready
      await rest()
      server.logs.delete('c')
      way(page, server)
      await rest()
      const hits: string[] = []
      for await (const found of search(await Cache.open(me), { text: 'secret' })) hits.push(...found.map((h) => h.message.text))
      expect([[...page.recorder.channels.keys()], hits]).toEqual([[], []])
      await page.quit()
    }
  })

  test('forgets what it has of a channel in which something was deleted that it was not told', async () => {
    const server = new Server()
    server.log('c').post('bob', 'secret')
    const first = await Page.at(server)
    await first.view('c')
    await first.quit()
    const second = await Page.at(server)
    second.recorder.leave('c') // it isn't kept ready
    await rest()
    server.log('c').remove('bob', 1)
    server.redacted.set('c', 1)
    const cache = await Cache.open(me)
    await cache.opened({ ...(await cache.window('c', 0, 9) as NonNullable<Awaited<ReturnType<Cache['window']>>>), cursor: { epoch: 7, offset: 1 } }, 1)
    server.redacted.set('c', 2)
    server.flush()
    await rest()
    expect(await cache.window('c', 0, 9)).toBeUndefined()
    await second.quit()
  })

  test('shows a message from when it is written until it is there, in either order of event and answer', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    const view = await page.view('c')
    const seen: string[][] = []
    const look = () => {
      if (view.window !== undefined) seen.push(shown(view.window, page.recorder.outgoing).map((i) => i.message.text))
    }
    view.onChange(look)
    page.recorder.onChange(look)
    for (const told of [true, false]) {
      await page.session.outbox.put(send, { channel: 'c', text: `told ${told}` }, { lane: 'c' })
      page.session.transmit(told)
      await rest()
      server.flush()
      await rest()
    }
    const all = ['one', 'told true', 'told false']
    for (const [i, list] of seen.entries()) {
      expect(list).toEqual(all.slice(0, list.length))
      expect(list.length).toBeGreaterThanOrEqual(seen[i - 1]?.length ?? 0)
    }
    expect(texts(view)).toEqual(all)
    expect(page.recorder.outgoing).toMatchObject({ entries: [] })
    await page.session.outbox.put(send, { channel: 'c', text: 'refused' }, { lane: 'c' })
    page.session.refuse(new ServerError(102, 'chat.FORBIDDEN', 'No.'))
    await rest()
    expect(view.window && shown(view.window, page.recorder.outgoing).at(-1)).toMatchObject({ state: 'refused', cause: { reason: 'chat.FORBIDDEN' } })
    await page.quit()
  })

  test('follows what the reader does elsewhere', async () => {
    const server = new Server()
    for (let n = 0; n < 3; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const badge = message(Badge, { marker: message(Marker, { offset: 2, count: 2 }), kind: 1 })
    server.tellUser({ $case: 'marker', value: { channel: 'c', badge } })
    await rest()
    expect([...page.recorder.channels.values()].map(unread)).toEqual([1])
    server.log('d')
    server.tellUser({ $case: 'channel', value: { channel: 'd', removed: false, kind: 1 } })
    await rest()
    expect(page.recorder.channels.get('d')?.channel?.name).toBe('#d')
    server.drafts.set('c/0', message(Draft, { channel: 'c', text: 'from the phone', version: 1 }))
    server.tellUser({ $case: 'draft', value: { channel: 'c', root: 0, version: 1, cleared: false } })
    await rest()
    expect(page.recorder.drafts.of('c', 0).text).toBe('from the phone')
    server.tellUser({ $case: 'channel', value: { channel: 'd', removed: true, kind: 1 } })
    server.logs.delete('d')
    await page.quit()
    const again = await Page.at(server, false)
    expect([...again.recorder.channels.keys()]).toEqual(['c'])
    expect(again.recorder.drafts.of('c', 0).text).toBe('from the phone')
    await again.quit()
  })

  test('keeps what is typed at once, and sends it after a pause, over a restart', async () => {
    const server = new Server()
    server.log('c')
    const first = await Page.at(server, false)
    await first.recorder.drafts.type('c', 0, 'hel')
    await first.recorder.drafts.type('c', 0, 'hello')
    await first.quit()
    const second = await Page.at(server)
    expect(second.recorder.drafts.all.map((w) => w.text)).toEqual(['hello'])
    expect(server.drafts.get('c/0')).toBeUndefined()
    await vi.advanceTimersByTimeAsync(PAUSE_MS)
    await rest()
    expect(server.drafts.get('c/0')).toMatchObject({ text: 'hello', version: 1 })
    await second.recorder.drafts.type('c', 0, '')
    second.recorder.drafts.flush()
    await rest()
    expect(server.drafts.get('c/0')).toMatchObject({ text: '', version: 2 })
    await second.quit()
  })

  test('has what a list has that came anew, and no more', async () => {
    const server = new Server()
    server.log('c')
    server.log('gone')
    const page = await Page.at(server)
    server.logs.delete('gone')
    const mine = page.session.followings.find((f) => f.topic === 'chat.mine/me')
    if (mine !== undefined) mine.cursor = undefined
    server.flush()
    await rest()
    expect([...page.recorder.channels.keys()]).toEqual(['c'])
    await page.quit()
  })

  test('asks for the people that a guest meets, and does without a cache', async () => {
    const server = new Server()
    server.guest = true
    server.log('c').post('bob', 'one')
    const page = await Page.at(server, true, false)
    expect(texts(await page.view('c'))).toEqual(['one'])
    expect(texts(await page.view('c'))).toEqual(['one']) // a second view of a room that is followed already
    page.recorder.need(['bob', 'bob'])
    for (let n = 0; n < 60; n++) page.recorder.need([`u${n}`])
    await rest()
    expect([page.recorder.directory.people.size, page.recorder.directory.people.has('bob')]).toEqual([61, true])
    expect(page.session.calls.filter((call) => call === 'GetPeople')).toHaveLength(1)

    const answer = server.answer.bind(server)
    server.answer = () => { throw new ServerError(202, 'client.TOO_MANY_CALLS', 'Later.') }
    page.recorder.need(['cyd'])
    await rest()
    expect(page.faults.splice(0)).toMatchObject([{ code: 202 }])
    server.answer = answer
    page.recorder.need(['cyd'])
    await rest()
    expect(page.recorder.directory.people.has('cyd')).toBe(true)
    await page.quit()
  })

  test('tells a guest what people are called now: after a start, and each minute', async () => {
    const server = new Server()
    server.guest = true
    let version = 1
    const answer = server.answer.bind(server)
    server.answer = (method, q) => (method.endsWith('/GetPeople') ? { people: (q as { ids: string[] }).ids.map((id) => message(Person, { id, version, displayName: `${id} ${version}` })) } : answer(method, q))
    const first = await Page.at(server)
    const name = (page: Page) => page.recorder.directory.people.get('bob')?.displayName
    first.recorder.need(['bob'])
    await rest()
    expect(name(first)).toBe('bob 1')
    version++
    await vi.advanceTimersByTimeAsync(MEET_MS)
    await rest()
    expect(name(first)).toBe('bob 2')
    await first.quit()

    version++
    const offline = await Page.at(server, false)
    expect(name(offline)).toBe('bob 2')
    offline.session.online = true
    await rest()
    expect(name(offline)).toBe('bob 3')
    await offline.quit()
    const calls = offline.session.calls.length
    await vi.advanceTimersByTimeAsync(2 * MEET_MS)
    expect(offline.session.calls).toHaveLength(calls)
  })

  test('tells who was made a guest what people are called now, whether they had the page open or open it later', async () => {
    const server = new Server()
    let version = 1
    const answer = server.answer.bind(server)
    server.answer = (method, q) => (method.endsWith('/GetPeople') ? { people: (q as { ids: string[] }).ids.map((id) => message(Person, { id, version, displayName: `${id} ${version}` })) } : answer(method, q))
    const name = (page: Page) => page.recorder.directory.people.get('ada')?.displayName
    const first = await Page.at(server)
    expect(name(first)).toBe('Ada')
    server.guest = true
    version++
    server.flush()
    await rest()
    expect(name(first)).toBe('ada 2')
    await first.quit()

    version++
    const later = await Page.at(server)
    expect(name(later)).toBe('ada 3')
    version++
    await vi.advanceTimersByTimeAsync(MEET_MS)
    await rest()
    expect(name(later)).toBe('ada 4')
    await later.quit()
  })

  test('asks no more than once each minute for a directory that may be read but not followed', async () => {
    const server = new Server()
    const page = await Page.at(server, true, false)
    const deny = async () => {
      page.session.followings.find((f) => f.open && f.topic === 'identity.workspace/me')?.told({ kind: 'ended', cause: new ServerError(Code.REVOKED, 'identity.DIRECTORY', 'No.') })
      await rest()
    }
    const asked = () => page.session.calls.filter((call) => call === 'ListPeople').length
    for (let n = 0; n < 5; n++) await deny()
    expect(asked()).toBe(2)
    await vi.advanceTimersByTimeAsync(MEET_MS)
    await rest()
    expect(asked()).toBe(3)
    await page.quit()
  })

  test('leaves unread what others wrote behind a message whose answer comes late', async () => {
    const server = new Server()
    const log = server.log('c')
    log.post('bob', 'one')
    const page = await Page.at(server)
    let marker = 1 // the server's: who sends has read what is before
    server.heads = () => [message(Head, { topic: 'chat.channel/c', epoch: log.epoch, offset: log.head, count: log.head, badge: encode(Badge, { marker: message(Marker, { offset: marker, count: marker }), kind: 1 }) })]
    server.flush()
    await page.session.outbox.put(send, { channel: 'c', text: 'mine' }, { lane: 'c' })
    const post = log.post.bind(log)
    log.post = (author, text, o) => {
      const offset = post(author, text, o)
      if (author === me) {
        marker = offset
        for (let n = 0; n < 3; n++) post('bob', `${n}`)
        server.flush() // the list is told before the answer comes
      }
      return offset
    }
    page.session.transmit(false)
    await rest()
    expect([...page.recorder.channels.values()].map(unread)).toEqual([3])
    await page.quit()
  })
})

describe('a room', () => {
  const following = (page: Page) => page.session.followings.filter((f) => f.topic === 'chat.channel/c' && f.open).at(-1)
  const end = (page: Page, code: number) => {
    const f = following(page)
    f?.told({ kind: 'ended', cause: new ServerError(code, 'edge.ENDED', 'No more.') })
    if (f !== undefined) f.open = false
  }

  test.each(['kept ready', 'shown'])('that has ended while it was %s goes on where it is opened again', async (how) => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    const before = await page.view('c')
    if (how === 'kept ready') {
      before.close()
      page.recorder.leave('c')
    }
    end(page, 340)
    server.tellUser({ $case: 'channel', value: { channel: 'c', removed: true, kind: ChannelKind.PUBLIC } })
    await rest()
    server.log('c').post('bob', 'two')
    server.tellUser({ $case: 'channel', value: { channel: 'c', removed: false, kind: ChannelKind.PUBLIC } }) // joins again
    await rest()
    const view = await page.view('c')
    server.log('c').post('bob', 'three')
    server.flush()
    await rest()
    for (const v of how === 'shown' ? [view, before] : [view]) expect(texts(v)).toEqual(['one', 'two', 'three'])
    expect(page.session.followings.filter((f) => f.topic === 'chat.channel/c' && f.open)).toHaveLength(1)
    await page.quit()
  })

  test('that could not be read is read when it is tried again, with all that show it', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const answer = server.answer.bind(server)
    server.answer = (method, q) => {
      if (method.endsWith('/History')) throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
      return answer(method, q)
    }
    const page = await Page.at(server)
    const room = page.recorder.open('c')
    const view = room.view(0)
    const states: string[] = []
    room.onState(({ kind }) => states.push(kind))
    await rest()
    expect([room.state, texts(view)]).toMatchObject([{ kind: 'failed', cause: { reason: 'chat.INTERNAL' } }, undefined])
    server.answer = answer
    room.retry()
    room.retry() // it does so already
    await rest()
    server.log('c').post('bob', 'two')
    server.flush()
    await rest()
    expect(texts(view)).toEqual(['one', 'two'])
    expect([states.at(-1), page.session.calls.filter((call) => call === 'History').length]).toEqual(['live', 2])
    await page.quit()
  })

  test('that ended since too many are followed stays on disk, and goes on', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    const view = await page.view('c')
    end(page, 342)
    await rest()
    expect((await (await Cache.open(me)).window('c', 0, 9))?.messages.map((m) => m.text)).toEqual(['one'])
    await page.view('c')
    server.log('c').post('bob', 'two')
    server.flush()
    await rest()
    expect(texts(view)).toEqual(['one', 'two'])
    await page.quit()
  })
})

describe('a channel that nobody has opened', () => {
  const named = (server: Server, name: string) => { server.channel = (id) => message(Channel, { id, kind: ChannelKind.PUBLIC, name, members: 3 }) }
  const name = (page: Page) => page.recorder.channels.get('c')?.channel?.name
  const asked = (page: Page) => page.session.calls.filter((call) => call === 'GetChannel').length
  const later = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms)
    await rest()
  }

  test('is called as it is, soon after it moved by what is no message', async () => {
    const server = new Server()
    const offset = server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    page.session.calls.length = 0
    named(server, 'renamed')
    server.log('c').post('bob', 'two')
    server.flush()
    await later(2 * SOON_MS)
    expect([name(page), asked(page)]).toEqual(['#c', 0]) // a message renames nothing
    server.log('c').post('bob', 'three')
    server.log('c').pin('bob', offset, true) // two at once, of which one counts
    server.flush()
    await later(2 * SOON_MS)
    expect([name(page), asked(page)]).toEqual(['renamed', 1])
    for (let n = 2; n < 9; n++) { // and so each time
      named(server, `renamed ${n}`)
      server.log('c').pin('bob', offset, n % 2 > 0)
      server.flush()
      await later(2 * SOON_MS)
      expect([name(page), asked(page)]).toEqual([`renamed ${n}`, n])
    }
    await page.quit()
  })

  test('isn’t asked for with each reaction', async () => {
    const server = new Server()
    const offset = server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    page.session.calls.length = 0
    let on = false
    const react = async (ms: number) => {
      server.log('c').react('bob', offset, '🎉', (on = !on))
      server.flush()
      await later(ms)
    }
    for (let n = 0; n < 20; n++) await react(2 * SOON_MS)
    expect(asked(page)).toBe(IN_VAIN)
    named(server, 'renamed')
    await later(AGAIN_MS)
    expect([name(page), asked(page)]).toEqual(['renamed', IN_VAIN + 1])
    for (let n = 0; n < 20; n++) await react(AGAIN_MS / 10)
    expect(asked(page)).toBe(IN_VAIN + 1 + 3) // at once, for what was found there didn't count, then once each AGAIN_MS
    await page.quit()
  })

  test('that is called otherwise all the time is asked for as one that is not', async () => {
    const server = new Server()
    const offset = server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    page.session.calls.length = 0
    for (let n = 0; n < 2 * FOUND; n++) {
      named(server, `renamed ${n}`)
      server.log('c').pin('bob', offset, n % 2 === 0)
      server.flush()
      await later(2 * SOON_MS)
    }
    expect(asked(page)).toBe(FOUND + IN_VAIN)
    await later(AGAIN_MS)
    expect([name(page), asked(page)]).toEqual([`renamed ${2 * FOUND - 1}`, FOUND + IN_VAIN + 1])
    await page.quit()
  })

  test('is asked for soon enough after the clock was set back', async () => {
    const server = new Server()
    const offset = server.log('c').post('bob', 'one')
    vi.setSystemTime(100 * AGAIN_MS)
    const page = await Page.at(server)
    page.session.calls.length = 0
    const react = async (removed: boolean, ms: number) => {
      server.log('c').react('bob', offset, '🎉', removed)
      server.flush()
      await later(ms)
    }
    for (let n = 0; n < IN_VAIN; n++) await react(n % 2 > 0, 2 * SOON_MS)
    vi.setSystemTime(1_000)
    named(server, 'renamed')
    await react(true, AGAIN_MS)
    expect([name(page), asked(page)]).toEqual(['renamed', IN_VAIN + 1])
    await page.quit()
  })

  test('gets its name when it comes into the list, once, and keeps what came meanwhile', async () => {
    const server = new Server()
    const page = await Page.at(server)
    const waiting: (() => void)[] = []
    const call = page.session.call.bind(page.session)
    page.session.call = async (...asked: Parameters<typeof call>) => {
      await new Promise<void>((go) => waiting.push(go))
      return call(...asked) as never
    }
    server.log('c').post('bob', 'one')
    server.flush()
    await rest()
    expect([name(page), waiting.length]).toEqual([undefined, 1])
    server.log('c').post('bob', 'two')
    server.flush()
    await rest()
    expect(waiting).toHaveLength(1) // it is under way
    waiting[0]?.()
    await rest()
    expect([name(page), page.recorder.channels.get('c')?.place.count]).toEqual(['#c', 2])
    server.flush()
    await rest()
    expect(waiting).toHaveLength(1)
    await page.quit()
  })

  test('that can’t be read keeps the others from nothing, and is asked for again with the next news', async () => {
    const server = new Server()
    const page = await Page.at(server)
    const answer = server.answer.bind(server)
    server.answer = (method, q) => {
      if (method.endsWith('/GetChannel') && (q as { channel: string }).channel === 'a') throw new ServerError(101, 'chat.CHANNEL', 'There is no such channel.')
      return answer(method, q)
    }
    for (const id of ['a', 'b', 'c']) server.log(id).post('bob', 'one')
    server.flush()
    await rest()
    const names = () => ['a', 'b', 'c'].map((id) => page.recorder.channels.get(id)?.channel?.name)
    expect(names()).toEqual([undefined, '#b', '#c'])
    expect(page.faults.splice(0)).toMatchObject([{ reason: 'chat.CHANNEL' }])
    server.answer = answer
    server.flush()
    await rest()
    expect(names()).toEqual(['#a', '#b', '#c'])
    await page.quit()
  })

  test('isn’t asked for where its own topic tells, nor when it has been left', async () => {
    const server = new Server()
    const offset = server.log('c').post('bob', 'one')
    const page = await Page.at(server)
    await page.view('c')
    page.session.calls.length = 0
    server.log('c').pin('bob', offset, true)
    server.flush()
    await later(2 * SOON_MS)
    expect(asked(page)).toBe(0)
    page.recorder.leave('c')
    server.log('c').pin('bob', offset, false)
    server.flush()
    server.tellUser({ $case: 'channel', value: { channel: 'c', removed: true, kind: ChannelKind.PUBLIC } })
    server.heads = () => []
    await later(2 * SOON_MS)
    expect([asked(page), page.recorder.channels.size]).toEqual([0, 0])
    await page.quit()
  })
})

describe('a view', () => {
  test('of a thread that can’t be read says why, and shows it when it is tried again', async () => {
    const server = new Server()
    const root = server.log('c').post('bob', 'one')
    server.log('c').post('bob', 'a reply', { root })
    const answer = server.answer.bind(server)
    const broken = (method: string, q: object) => {
      if (method.endsWith('/History') && (q as { root?: number }).root === root) throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
      return answer(method, q)
    }
    server.answer = broken
    const page = await Page.at(server, true, false)
    const channel = await page.view('c')
    const thread = await page.view('c', root)
    const told: unknown[] = []
    thread.onTrouble((cause) => told.push(cause?.reason))
    expect([texts(channel), channel.trouble]).toEqual([['one'], undefined])
    expect([texts(thread), thread.trouble]).toMatchObject([undefined, { reason: 'chat.INTERNAL' }])
    thread.retry() // in vain
    await rest()
    expect(told).toEqual([undefined, 'chat.INTERNAL'])
    server.answer = answer
    thread.retry()
    await rest()
    expect([texts(thread), thread.trouble, told.length]).toEqual([['one', 'a reply'], undefined, 3])
    thread.retry() // nothing is wrong
    await rest()
    expect(page.session.calls.filter((call) => call === 'History')).toHaveLength(4)

    // After a reset, too: what it shows can't go on.
    server.answer = broken
    page.session.followings.find((f) => f.topic === 'chat.channel/c')?.told({ kind: 'reset', cause: new ServerError(320, 'edge.RESET', 'Lost.') })
    await rest()
    expect([texts(thread), thread.trouble, texts(channel)]).toMatchObject([['one', 'a reply'], { reason: 'chat.INTERNAL' }, ['one']])
    server.answer = answer
    thread.retry()
    await rest()
    expect(thread.trouble).toBeUndefined()
    await page.quit()
  })

  const lost = (page: Page) => {
    page.session.followings.find((f) => f.open && f.topic === 'chat.channel/c')?.told({ kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', 'Another history.') })
  }
  /** anew is the channel with another history, in which as much was said. */
  const anew = (server: Server, count: number) => {
    server.logs.set('c', new ChannelLog(8))
    for (let n = 1; n <= count; n++) server.log('c').post('bob', `${n}`)
  }
  /** holds keeps answers of History of some place back, until it is called. */
  const holds = (page: Page, place: string | undefined) => {
    const waiting: (() => void)[] = []
    const call = page.session.call.bind(page.session)
    page.session.call = async (...asked: Parameters<typeof call>) => {
      const q = asked[1] as { place?: { $case: string } }
      if (asked[0].name.endsWith('/History') && q.place?.$case === place) await new Promise<void>((go) => waiting.push(go))
      return call(...asked) as never
    }
    return () => { for (const go of waiting.splice(0)) go() }
  }

  test('whose place can’t be read shows that place when it is tried again, not the end', async () => {
    const server = new Server()
    for (let n = 1; n <= 4 * PAGE; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server, true, false)
    const view = await page.view('c')
    await view.jump({ offset: 60 })
    anew(server, 4 * PAGE)
    const answer = server.answer.bind(server)
    server.answer = (method, q) => {
      if ((q as { place?: { $case: string } }).place?.$case === 'around') throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
      return answer(method, q)
    }
    lost(page)
    await rest()
    expect([view.trouble?.reason, view.window?.cursor.epoch]).toEqual(['chat.INTERNAL', 7])
    server.answer = answer
    view.retry()
    await rest()
    expect([view.trouble, view.window?.cursor.epoch]).toEqual([undefined, 8])
    expect(texts(view)).toContain('60')
    await page.quit()
  })

  test.each(['older', 'newer'] as const)('that is read anew shows where the reader is in much that was gone through, reading %s', async (way) => {
    const server = new Server()
    for (let n = 1; n <= 20 * PAGE; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server, true, false)
    const view = await page.view('c')
    await view.jump({ offset: way === 'older' ? 15 * PAGE : 5 * PAGE })
    for (let n = 0; n < 8; n++) await view[way]()
    const side = (way === 'older' ? view.window?.messages[PAGE] : view.window?.messages.at(-PAGE))?.text
    anew(server, 20 * PAGE)
    lost(page)
    await rest()
    expect(view.window?.cursor.epoch).toBe(8)
    expect(texts(view)).toContain(side)
    await page.quit()
  })

  test('is in no trouble by what was asked for before one went elsewhere', async () => {
    const server = new Server()
    const root = server.log('c').post('bob', 'one')
    for (let n = 1; n <= 2 * PAGE; n++) server.log('c').post('bob', `${n}`, { root })
    const page = await Page.at(server, true, false)
    await page.view('c')
    const answer = server.answer.bind(server)
    server.answer = (method, q) => {
      const { place, root: of } = q as { place?: object; root?: number }
      if (method.endsWith('/History') && of === root && place === undefined) throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
      return answer(method, q)
    }
    const go = holds(page, undefined)
    const view = page.recorder.open('c').view(root)
    await rest() // it has asked for its end
    await view.jump({ offset: 10 })
    go()
    await rest()
    expect(view.trouble).toBeUndefined()
    expect(texts(view)).toContain('9')
    await page.quit()
  })

  test('of a thread that is empty after all is in trouble no longer', async () => {
    const server = new Server()
    server.log('c').post('bob', 'one')
    const answer = server.answer.bind(server)
    let reason = 'chat.INTERNAL'
    server.answer = (method, q) => {
      if (method.endsWith('/History') && (q as { root: number }).root === 99) throw new ServerError(102, reason, 'No.')
      return answer(method, q)
    }
    const page = await Page.at(server, true, false)
    const view = await page.view('c', 99)
    expect([view.trouble?.reason, texts(view)]).toEqual(['chat.INTERNAL', undefined])
    reason = 'chat.MESSAGE'
    lost(page)
    await rest()
    expect([view.trouble, texts(view)]).toEqual([undefined, []])
    await page.quit()
  })

  test.each([true, false])('of a long thread stays at the reply that a link names, and shows the end where that can’t be read; with a cache: %s', async (kept) => {
    const server = new Server()
    const root = server.log('c').post('bob', 'one')
    for (let n = 1; n <= 3 * PAGE; n++) server.log('c').post('bob', `${n}`, { root })
    const page = await Page.at(server, true, kept)
    await page.view('c')
    const room = page.recorder.open('c')
    const view = room.view(root)
    await view.jump({ offset: 60 })
    await rest()
    expect(texts(view)).toContain('59')
    expect(view.window?.to).toBeLessThan(3 * PAGE)
    view.close()

    const answer = server.answer.bind(server)
    server.answer = (method, q) => {
      if ((q as { place?: { $case: string } }).place?.$case === 'around') throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
      return answer(method, q)
    }
    const other = room.view(root)
    await expect(other.jump({ offset: 60 })).rejects.toMatchObject({ reason: 'chat.INTERNAL' })
    await rest()
    expect(texts(other)?.at(-1)).toBe(`${3 * PAGE}`)
    await page.quit()
  })

  test('shows where one went last, whichever answer comes last', async () => {
    const server = new Server()
    for (let n = 0; n < 2 * PAGE; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const view = await page.view('c')
    const gone = view.jump({ offset: 1 })
    await view.latest()
    await expect(gone).rejects.toThrow('somewhere else was gone to meanwhile')
    expect(texts(view)?.at(-1)).toBe(`${2 * PAGE - 1}`)
    await page.quit()
  })

  test('goes nowhere without a connection but to what is kept, and is not taken away later', async () => {
    const server = new Server()
    for (let n = 0; n < 4 * PAGE; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const view = await page.view('c')
    const shown = texts(view)
    page.session.online = false
    await expect(view.jump({ offset: 3 })).rejects.toMatchObject({ reason: 'client.OFFLINE' })
    page.session.online = true
    await rest()
    expect(texts(view)).toEqual(shown)

    const { state } = page.session
    page.session.turn({ kind: 'connecting', since: 0 }) // of a page that is being loaded nobody knows yet
    let gone = false
    const jump = view.jump({ offset: 3 }).then(() => { gone = true })
    await rest()
    expect(gone).toBe(false)
    page.session.turn(state)
    await jump
    expect(texts(view)?.slice(0, 3)).toEqual(['0', '1', '2'])
    await page.quit()
  })

  test('has no hole where one jumps elsewhere while older messages are on their way', async () => {
    const server = new Server()
    for (let n = 0; n < PAGE + 20; n++) server.log('c').post('bob', `${n}`)
    const page = await Page.at(server)
    const view = await page.view('c')
    const call = page.session.call.bind(page.session)
    page.session.call = async (...asked: Parameters<typeof call>) => {
      await rest() // the server is slower than the disk
      return call(...asked) as never
    }
    await Promise.all([view.older(), view.jump({ offset: PAGE + 17 })])
    await rest()
    while ((view.window?.from ?? 0) > 0) await view.older()
    expect(texts(view)?.slice(0, 3)).toEqual(['0', '1', '2'])
    await page.quit()
  })

  test('shows what the server has, wherever it goes, whatever happens, and whether it is online', async () => {
    const moves = ['flush', 'flush', 'older', 'newer', 'jump', 'latest', 'offline', 'online', 'thread', 'restart']
    await fc.assert(
      fc.asyncProperty(fc.array(steps(...doings, ...moves), { minLength: 10, maxLength: 40 }), async (all) => {
        await Cache.wipe(me)
        const server = new Server()
        const log = server.log('c')
        for (let n = 0; n < PAGE + 20; n++) log.post('bob', `${n}`)
        let page = await Page.at(server)
        let view = await page.view('c')
        let thread = await page.view('c', 1)
        for (const s of all) {
          const [what, , which] = s
          if (what === 'flush') server.flush()
          else if (what === 'older') view.older().catch(() => undefined)
          else if (what === 'newer') view.newer().catch(() => undefined)
          else if (what === 'jump') view.jump(which % 2 === 0 ? { offset: which % (log.head + 1) } : { atMs: 1_000 + (which % 1_000) }).catch(() => undefined)
          else if (what === 'latest') view.latest().catch(() => undefined)
          else if (what === 'offline' || what === 'online') page.session.online = what === 'online'
          else if (what === 'thread') log.post('cyd', 'reply', { root: 1 })
          else if (what === 'restart') {
            await page.quit()
            page = await Page.at(server, which % 2 === 0)
            view = await page.view('c')
            thread = await page.view('c', 1)
          } else act(log, s)
          await rest(which % 5)
        }
        page.session.online = true
        server.flush()
        await rest()
        await view.latest()
        await rest()
        for (const v of [view, thread]) {
          const w = v.window
          if (w === undefined) throw new Error('nothing is shown')
          expect(w.to).toBe(Infinity)
          const plain = (m: { deleted: boolean; text: string; pinned: boolean; reactions: { count: number }[] }) => [m.deleted, m.text, m.pinned, m.reactions.map((r) => r.count).sort()]
          const ours = new Map(w.messages.map((m) => [m.offset, plain(m)]))
          for (const m of log.all(me, v.root).filter((x) => x.offset >= w.from)) {
            if (!m.deleted || ours.has(m.offset)) expect(ours.get(m.offset)).toEqual(plain(m))
            ours.delete(m.offset)
          }
          expect([...ours.keys()]).toEqual([])
        }
        await page.quit()
      }),
      { numRuns: 100 },
    )
  }, 120_000)
})
