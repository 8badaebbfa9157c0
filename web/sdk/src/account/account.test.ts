import 'fake-indexeddb/auto'
import { openDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { message } from '../method.ts'
import { Error as Fault } from '../proto/plenum/edge/v1/edge.ts'
import { Person, Session, Workspace } from '../proto/plenum/identity/v1/model.ts'
import { describeLink, refresh } from '../proto/plenum/identity/v1/session.methods.ts'
import { DescribeLinkResponse, JoinRequest, RefreshRequest, SetUpRequest, SignInRequest, SignInResponse, SignOutRequest, UseResetRequest } from '../proto/plenum/identity/v1/session.ts'
import { Accounts } from './accounts.ts'
import { callHttp, type Fetch } from './http.ts'
import { OwnLocks, type Locks } from './locks.ts'
import { takeSecret } from './secret.ts'
import { AccountStore } from './store.ts'
import { databaseOf } from './wipe.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }) })
afterEach(() => { vi.useRealTimers() })

let databases = 0
const server = 'https://plenum.example.com'
const person = message(Person, { id: 'u1', handle: 'ada' })
const workspace = message(Workspace, { id: 'w1', slug: 'acme' })

/** fail is an answer of the Connect protocol. */
function fail(status: number, fault: Partial<Fault>, padding = false): Response {
  let value = btoa(String.fromCharCode(...Fault.encode(message(Fault, fault)).finish()))
  if (!padding) value = value.replaceAll('=', '')
  return Response.json({ code: 'x', message: 'x', details: [{ type: 'other', value: '' }, { type: 'plenum.edge.v1.Error', value }] }, { status })
}

const body = (bytes: Uint8Array) => new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { 'Content-Type': 'application/proto' } })

/** Identity is a service that gives sessions, and spends refresh tokens: the same within 60 s gets the same answer, any other second use ends all. */
class Identity {
  readonly asked: { name: string; body: Uint8Array; init: RequestInit }[] = []
  /** What the next requests come to instead: an answer is lost, or another one comes. */
  readonly faults: ('lost' | 'unheard' | Response)[] = []
  stolen = false
  #session = 0
  #spent: { token: string; at: number; answer: Uint8Array } | undefined
  signedOut: string[] = []

  readonly fetch: Fetch = async (url, init) => {
    const name = url.replace(`${server}/plenum.identity.v1.SessionService/`, '')
    const request = new Uint8Array(init.body as Uint8Array)
    this.asked.push({ name, body: request, init })
    const fault = this.faults.shift()
    if (fault === 'unheard') throw new TypeError('Failed to fetch')
    if (fault instanceof Response) return fault
    const answer = this.#answer(name, request)
    await Promise.resolve()
    if (fault === 'lost') throw new TypeError('Failed to fetch')
    return answer
  }

  #answer(name: string, request: Uint8Array): Response {
    if (name === 'Refresh') return this.#refresh(RefreshRequest.decode(request).refreshToken)
    if (name === 'SignOut') this.signedOut.push(SignOutRequest.decode(request).refreshToken)
    if (name === 'SignOut') return body(new Uint8Array())
    return body(this.#next())
  }

  #refresh(token: string): Response {
    if (token === this.#spent?.token && Date.now() - this.#spent.at < 60_000) return body(this.#spent.answer)
    if (token !== `plr_${this.#session}`) {
      this.stolen = true
      return fail(403, { code: 102, reason: 'identity.SESSION_ENDED', message: 'Sign in.' })
    }
    this.#spent = { token, at: Date.now(), answer: this.#next() }
    return body(this.#spent.answer)
  }

  #next(): Uint8Array {
    const n = ++this.#session
    const session = message(Session, { accessToken: `access ${n}`, accessTtlMs: 600_000, refreshToken: `plr_${n}`, refreshTtlMs: 2_592_000_000, deviceId: 'd1', person, workspace, permissions: ['chat.post'] })
    return SignInResponse.encode({ session }).finish()
  }
}

async function opened(identity: Identity, database = `plenum-accounts-${++databases}`, locks: Locks = new OwnLocks()) {
  const accounts = await Accounts.open({ name: 'Firefox on Linux', agent: 'plenum-web/1', database, locks, fetch: identity.fetch })
  return { accounts, database }
}

const credentials = { workspaceSlug: 'acme', handle: 'ada', password: 'correct horse battery' }

/** passing lets time pass while something is done. */
async function passing<T>(done: Promise<T>): Promise<T> {
  const state = { open: true }
  const end = () => { state.open = false }
  done.then(end, end)
  while (state.open) {
    await new Promise((resolve) => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(500)
  }
  return done
}

describe('over HTTP', () => {
  const call = (fetch: Fetch) => callHttp(describeLink, { secret: 's' }, { server: `${server}/`, token: 't', change: { clientId: 'me', seq: 7 }, fetch })

  test('a call is a POST', async () => {
    const answer = DescribeLinkResponse.encode({ link: { $case: 'setup', value: {} } }).finish()
    const asked: [string, RequestInit][] = []
    const reply = await call((url, init) => {
      asked.push([url, init])
      return Promise.resolve(body(answer))
    })
    expect(reply.link?.$case).toBe('setup')
    expect(asked).toMatchObject([
      [
        `${server}/plenum.identity.v1.SessionService/DescribeLink`,
        {
          method: 'POST',
          credentials: 'omit',
          redirect: 'error',
          headers: { 'Content-Type': 'application/proto', Authorization: 'Bearer t', 'Plenum-Client-Id': 'me', 'Plenum-Client-Seq': '7', 'Connect-Timeout-Ms': '30000' },
        },
      ],
    ])
  })

  test("an error is the detail's, in base64 with padding or without", async () => {
    for (const padding of [true, false]) {
      const fault = { code: 203 as const, reason: 'identity.TOO_MANY_ATTEMPTS', message: 'Wait.', field: 'password', retryAfterMs: 5000 }
      await expect(call(() => Promise.resolve(fail(429, fault, padding)))).rejects.toMatchObject(fault)
    }
  })

  test('what something on the way answers may be tried again', async () => {
    const busy = () => Promise.resolve(new Response('starting', { status: 503, headers: { 'Retry-After': '3' } }))
    await expect(call(busy)).rejects.toMatchObject({ code: 200, reason: 'client.AWAY', retryAfterMs: 3000 })
    await expect(call(() => Promise.resolve(new Response('<html>')))).rejects.toMatchObject({ code: 200, reason: 'client.HTTP_STATUS' })
    await expect(call(() => Promise.resolve(Response.json({ details: 7 }, { status: 400 })))).rejects.toMatchObject({ code: 200 })
    const endless = new ReadableStream({ pull: (c) => { c.enqueue(new Uint8Array(1 << 20)) } })
    await expect(call(() => Promise.resolve(new Response(endless)))).rejects.toMatchObject({ code: 200 })
  })

  test('no answer: a read was not done, of others nobody knows', async () => {
    const broken = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(call(broken)).rejects.toMatchObject({ code: 200, reason: 'client.UNREACHABLE' })
    await expect(callHttp(refresh, {}, { server, fetch: broken })).rejects.toMatchObject({ code: 201, reason: 'client.LOST' })
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(callHttp(refresh, {}, { server, fetch: broken, signal })).rejects.toThrow('enough')
  })
})

test('a secret is taken out of the address at once', () => {
  const replaced: unknown[][] = []
  const past = { state: 7, replaceState: (...args: unknown[]) => { replaced.push(args) } }
  expect(takeSecret({ hash: '#join=plj_x=y', pathname: '/a', search: '?b' }, past)).toEqual({ kind: 'join', secret: 'plj_x=y' })
  expect(replaced).toEqual([[7, '', '/a?b']])
  for (const hash of ['', '#', '#join=', '#other=x', '#message-7']) expect(takeSecret({ hash, pathname: '/', search: '' }, past)).toBeUndefined()
  expect(replaced).toHaveLength(1)
})

test('each way in keeps who came', async () => {
  const identity = new Identity()
  const { accounts, database } = await opened(identity)
  const client = { clientId: accounts.clientId, name: 'Firefox on Linux', agent: 'plenum-web/1' }
  expect(accounts.clientId).toMatch(/^[\w-]{22}$/)
  await accounts.signIn(server, credentials)
  await accounts.setUp(server, { ...credentials, secret: 's', workspaceName: '', displayName: '' })
  await accounts.join(server, { secret: 's', handle: 'ada', displayName: '', password: 'p' })
  const account = await accounts.reset(server, { secret: 's', password: 'p' })
  expect(identity.asked.map((a) => a.name)).toEqual(['SignIn', 'SetUp', 'Join', 'UseReset'])
  const sent = [SignInRequest, SetUpRequest, JoinRequest, UseResetRequest].map((of, i) => of.decode(identity.asked[i]?.body ?? new Uint8Array()).client)
  expect(sent).toEqual([client, client, client, client])
  const again = (await opened(identity, database)).accounts
  expect(again.clientId).toBe(accounts.clientId)
  expect(await again.list()).toEqual([account])
  expect(account).toMatchObject({ id: 'u1', server, deviceId: 'd1', person: { handle: 'ada' }, workspace: { slug: 'acme' }, permissions: ['chat.post'], state: 'active' })
  expect(await again.tokens('u1').token()).toBe('access 4')
})

test('a sign-in that can not be kept says so', async () => {
  const { accounts } = await opened(new Identity())
  const full = vi.spyOn(AccountStore.prototype, 'put').mockRejectedValueOnce(new DOMException('no room', 'QuotaExceededError'))
  await expect(accounts.signIn(server, credentials)).rejects.toMatchObject({ code: 200, reason: 'client.NOT_KEPT' })
  full.mockRestore()
  expect((await accounts.signIn(server, credentials)).tokens.access).toBe('access 2')
})

test('a sign-in that is refused keeps nobody', async () => {
  const identity = new Identity()
  const { accounts } = await opened(identity)
  identity.faults.push(fail(403, { code: 102, reason: 'identity.SIGN_IN' }), body(new Uint8Array()))
  await expect(accounts.signIn(server, credentials)).rejects.toMatchObject({ code: 102, reason: 'identity.SIGN_IN' })
  await expect(accounts.signIn(server, credentials)).rejects.toMatchObject({ reason: 'client.NO_SESSION' })
  expect(await accounts.list()).toEqual([])
})

describe('a token', () => {
  async function signedIn(identity = new Identity()) {
    const { accounts, database } = await opened(identity)
    await accounts.signIn(server, credentials)
    identity.asked.length = 0
    return { identity, accounts, database, tokens: accounts.tokens('u1') }
  }

  test('is refreshed before it ends, and where the server has refused it', async () => {
    const { tokens } = await signedIn()
    vi.advanceTimersByTime(569_000)
    expect(await tokens.token()).toBe('access 1')
    vi.advanceTimersByTime(2000)
    expect(await tokens.token()).toBe('access 2')
    expect(await tokens.token('access 1')).toBe('access 2')
    expect(await tokens.token('access 2')).toBe('access 3')
  })

  test('is asked for however late this device thinks it is: the server says when a session has ended', async () => {
    const { accounts, tokens } = await signedIn()
    vi.setSystemTime(Date.now() + 400 * 86_400_000)
    expect(await tokens.token()).toBe('access 2')
    expect((await accounts.get('u1'))?.state).toBe('active')
  })

  test('is refreshed once for all tabs', async () => {
    const { identity, database, tokens } = await signedIn()
    const locks = new OwnLocks() // those of the browser
    const tabs = await Promise.all([1, 2, 3].map(async () => (await opened(identity, database, locks)).accounts.tokens('u1')))
    expect(await Promise.all(tabs.map((tab) => tab.token('access 1')))).toEqual(['access 2', 'access 2', 'access 2'])
    expect(identity.asked).toHaveLength(1)
    expect(await Promise.all([tokens.token('access 2'), ...tabs.map((tab) => tab.token('access 2'))])).toEqual(Array(4).fill('access 3')) // one takes its own turns
    expect(identity.stolen).toBe(false)
  })

  test('is asked for again with the same refresh token, where the answer was lost', async () => {
    const { identity, tokens } = await signedIn()
    identity.faults.push('lost', 'unheard')
    expect(await passing(tokens.token('access 1'))).toBe('access 2')
    identity.faults.push('lost', 'unheard', 'unheard', 'unheard')
    await expect(passing(tokens.token('access 2'))).rejects.toMatchObject({ code: 201, reason: 'client.LOST' })
    expect(await tokens.token('access 2')).toBe('access 3')
    expect(identity.stolen).toBe(false)
  })

  test('is stored before it is used, with the token for the next refresh', async () => {
    const { identity, accounts, database, tokens } = await signedIn()
    const full = vi.spyOn(AccountStore.prototype, 'change').mockRejectedValueOnce(new DOMException('no room', 'QuotaExceededError'))
    await expect(tokens.token('access 1')).rejects.toMatchObject({ code: 200, reason: 'client.NOT_KEPT' })
    full.mockRestore()
    vi.advanceTimersByTime(120_000) // the same token would count as stolen now
    expect(await tokens.token('access 1')).toBe('access 2')
    expect(identity.asked).toHaveLength(1)
    const store = await AccountStore.open(database)
    expect((await store.get('u1'))?.tokens).toMatchObject({ access: 'access 2', refresh: 'plr_2' })
    expect((await accounts.get('u1'))?.tokens.accessUntil).toBe(Date.now() - 120_000 + 600_000)
  })

  test('that could not be stored is not stored over what another page has got since', async () => {
    const { identity, database, tokens } = await signedIn()
    const full = vi.spyOn(AccountStore.prototype, 'change').mockRejectedValueOnce(new DOMException('no room', 'QuotaExceededError'))
    await expect(tokens.token('access 1')).rejects.toMatchObject({ reason: 'client.NOT_KEPT' })
    full.mockRestore()
    const other = await Accounts.open({ name: '', agent: '', database, fetch: identity.fetch, locks: new OwnLocks() })
    expect(await other.tokens('u1').token('access 1')).toBe('access 2') // within 60 s: the same answer
    vi.advanceTimersByTime(580_000)
    expect(await other.tokens('u1').token()).toBe('access 3')
    vi.advanceTimersByTime(580_000)
    expect(await tokens.token()).toBe('access 4')
    expect(identity.stolen).toBe(false)
  })

  test.for([
    [102, 'identity.SESSION_ENDED'],
    [4400, 'identity.WIPE'],
  ] as const)('is none where the server has ended the session: %d', async ([code, reason]) => {
    const { identity, accounts, tokens } = await signedIn()
    identity.faults.push(fail(403, { code, reason }))
    await expect(tokens.token('access 1')).rejects.toMatchObject({ code, reason })
    await expect(tokens.token()).rejects.toMatchObject({ code: 102, reason: 'client.SIGNED_OUT' })
    expect(identity.asked).toHaveLength(1)
    expect(await accounts.list()).toMatchObject([{ id: 'u1', state: 'ended', tokens: { refresh: '' } }])
  })

  test('that is refreshed while somebody signs in again is theirs', async () => {
    const { identity, accounts, database } = await signedIn()
    let answer: () => void = () => undefined
    const out = new Promise<void>((resolve) => { answer = resolve })
    const slow: Fetch = async (url, init) => {
      const response = await identity.fetch(url, init)
      await out
      return response
    }
    const other = await Accounts.open({ name: '', agent: '', database, fetch: slow, locks: new OwnLocks() }) // as without Web Locks
    const token = other.tokens('u1').token('access 1')
    while (identity.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await accounts.signIn(server, credentials)
    answer()
    expect(await token).toBe('access 3')
    expect((await (await AccountStore.open(database)).get('u1'))?.tokens).toMatchObject({ access: 'access 3', refresh: 'plr_3' })
  })

  test('that is refreshed while somebody signs out is none', async () => {
    const { identity, accounts, database } = await signedIn()
    let answer: () => void = () => undefined
    const out = new Promise<void>((resolve) => { answer = resolve })
    const slow: Fetch = async (url, init) => {
      const response = await identity.fetch(url, init)
      await out
      return response
    }
    const other = await Accounts.open({ name: '', agent: '', database, fetch: slow, locks: new OwnLocks() }) // locks of its own: as without Web Locks
    const token = other.tokens('u1').token('access 1')
    token.catch(() => undefined)
    while (identity.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    identity.faults.push('unheard')
    await accounts.signOut('u1')
    answer()
    await expect(token).rejects.toMatchObject({ reason: 'client.SIGNED_OUT' })
    expect((await (await AccountStore.open(database)).get('u1'))?.tokens).toMatchObject({ access: '', refresh: 'plr_1' })
  })
})

describe('who goes', () => {
  async function withDatabases() {
    const identity = new Identity()
    const { accounts, database } = await opened(identity)
    const account = await accounts.signIn(server, credentials)
    const names = ['outbox', 'documents', 'something-new'].map((part) => databaseOf('u1', part))
    for (const name of [...names, databaseOf('u2', 'outbox')]) {
      const db = await openDB(name, 1, { upgrade: (made) => { made.createObjectStore('x') }, blocking: () => { db.close() } })
    }
    const left = async () => (await indexedDB.databases()).map((d) => d.name).filter((name) => name?.endsWith('-u1') === true || name?.endsWith('-u2') === true)
    return { identity, account, accounts, database, left }
  }

  test('leaves nothing, and no other account is touched', async () => {
    const { identity, accounts, left } = await withDatabases()
    await accounts.signOut('u1')
    expect(await left()).toEqual(['plenum-outbox-u2'])
    expect(identity.signedOut).toEqual(['plr_1'])
    expect(await accounts.list()).toEqual([])
    await expect(accounts.tokens('u1').token()).rejects.toMatchObject({ reason: 'client.SIGNED_OUT' })
  })

  test('leaves nothing here without the server, which is told later', async () => {
    const { identity, accounts, database, left } = await withDatabases()
    identity.faults.push('unheard')
    await accounts.signOut('u1')
    expect(await left()).toEqual(['plenum-outbox-u2'])
    expect([await accounts.list(), await accounts.get('u1'), identity.signedOut]).toEqual([[], undefined, []])
    const later = (await opened(identity, database)).accounts
    await later.finish()
    await later.finish()
    expect(identity.signedOut).toEqual(['plr_1'])
  })

  test('is wiped as the server says, without asking it', async () => {
    const { identity, account, accounts, left } = await withDatabases()
    identity.asked.length = 0
    await accounts.wipe(account)
    expect(await left()).toEqual(['plenum-outbox-u2'])
    expect(identity.asked).toEqual([])
    await accounts.signIn(server, credentials)
    expect(await accounts.list()).toHaveLength(1)
  })

  test('and has signed in again keeps all, however late the end of the former session is heard of', async () => {
    const { identity, account, accounts, left } = await withDatabases()
    const again = await accounts.signIn(server, credentials)
    expect([again.deviceId, again.session === account.session]).toEqual([account.deviceId, false])
    await accounts.wipe(account)
    expect(await accounts.list()).toEqual([again])
    expect(await left()).toHaveLength(4)
    await accounts.tokens('u1').token('access 2') // a refresh goes on with the session
    await accounts.wipe(again)
    expect(await accounts.list()).toEqual([])
    expect(await left()).toEqual(['plenum-outbox-u2'])
    expect(identity.stolen).toBe(false)
  })

  test('does not wait for ever for a page that keeps a database open', async () => {
    const { account, accounts } = await withDatabases()
    const stubborn = await openDB(databaseOf('u1', 'cache'), 1)
    await passing(accounts.wipe(account))
    expect(await accounts.list()).toEqual([])
    stubborn.close()
  })
})
