import type { TokenSource } from '../edge/token.ts'
import { Code, ServerError } from '../errors.ts'
import type { Method } from '../method.ts'
import { serverError } from '../fault.ts'
import { newId } from '../id.ts'
import type { Client, Session } from '../proto/plenum/identity/v1/model.ts'
import { describeLink, join, setUp, signIn, signOut, useReset } from '../proto/plenum/identity/v1/session.methods.ts'
import type { DescribeLinkResponse, JoinRequest, SetUpRequest, SignInRequest, UseResetRequest } from '../proto/plenum/identity/v1/session.ts'
import { callHttp, type Fetch } from './http.ts'
import { browserLocks, type Locks } from './locks.ts'
import { AccountStore, tokensOf, type Account } from './store.ts'
import { AccountTokens, noTokens, refreshLock } from './tokens.ts'
import { eraseDatabases } from './wipe.ts'

/** What identity answers a sign-in with, whichever way. */
interface Entered {
  readonly session: Session | undefined
}

export interface AccountsOptions {
  /** For the list of devices: "Firefox on Linux". */
  readonly name: string
  /** Program and version: "plenum-web/1.4.2". */
  readonly agent: string
  readonly fetch?: Fetch
  readonly locks?: Locks
  /** The database that keeps who is signed in. */
  readonly database?: string
}

/**
 * Accounts are who is signed in in this browser. Each way in returns the account once it is stored; it rejects with a ServerError, of which 2xx may be tried
 * again, unchanged (200 `client.NOT_KEPT`: the disk is full): a link that this installation itself has used still signs it in with the same password.
 */
export class Accounts {
  readonly #store: AccountStore
  readonly #client: Client
  readonly #fetch: Fetch
  readonly #locks: Locks

  private constructor(store: AccountStore, { name, agent, fetch: given, locks }: AccountsOptions) {
    this.#store = store
    this.#client = { clientId: store.clientId, name, agent }
    this.#fetch = given ?? ((url, init) => fetch(url, init))
    this.#locks = locks ?? browserLocks()
  }

  static async open(options: AccountsOptions): Promise<Accounts> {
    return new Accounts(await AccountStore.open(options.database), options)
  }

  /** The installation's client_id: secret, made once. */
  get clientId(): string {
    return this.#store.clientId
  }

  /** list is who is signed in, or was until the server ended it. */
  async list(): Promise<Account[]> {
    return (await this.#store.all()).filter((account) => account.state !== 'leaving')
  }

  async get(id: string): Promise<Account | undefined> {
    const account = await this.#store.get(id)
    return account?.state === 'leaving' ? undefined : account
  }

  /** describe says what a one-time link offers; 101 `identity.LINK`: nothing any more. */
  describe(server: string, secret: string): Promise<DescribeLinkResponse> {
    return callHttp(describeLink, { secret, clientId: this.clientId }, { server, fetch: this.#fetch })
  }

  signIn(server: string, request: Omit<SignInRequest, 'client'>): Promise<Account> {
    return this.#enter(server, signIn, { ...request, client: this.#client })
  }

  /** setUp makes a workspace and its owner. */
  setUp(server: string, request: Omit<SetUpRequest, 'client'>): Promise<Account> {
    return this.#enter(server, setUp, { ...request, client: this.#client })
  }

  /** join takes an invitation. */
  join(server: string, request: Omit<JoinRequest, 'client'>): Promise<Account> {
    return this.#enter(server, join, { ...request, client: this.#client })
  }

  /** reset chooses a new password, and signs all other devices out. */
  reset(server: string, request: Omit<UseResetRequest, 'client'>): Promise<Account> {
    return this.#enter(server, useReset, { ...request, client: this.#client })
  }

  /** tokens has an account's access token. */
  tokens(id: string): TokenSource {
    return new AccountTokens(this.#store, id, this.#locks, this.#fetch)
  }

  /**
   * signOut ends an account's session, and erases all that is kept of it. Where the server can't be reached that is done here at once, and told to the server
   * by `finish`.
   */
  async signOut(id: string): Promise<void> {
    await this.#locks.request(refreshLock(id), async () => {
      await this.#store.change(id, (account) => ({ ...account, state: 'leaving', tokens: { ...noTokens, refresh: account.tokens.refresh } }))
      await this.#leave(id)
    })
  }

  /**
   * wipe erases all that is kept of an account: what its server told to (4400) has ended its session. Who has signed in again since then keeps all: a page that
   * slept hears of an end late.
   */
  async wipe({ id, session }: Pick<Account, 'id' | 'session'>): Promise<void> {
    await this.#locks.request(refreshLock(id), async () => {
      const ended = await this.#store.change(id, (account) => (account.session === session ? { ...account, state: 'leaving', tokens: noTokens } : undefined))
      if (ended !== undefined) await this.#leave(id)
    })
  }

  /** finish does what is left of sign-outs that a page could not finish. Call it at the start, and when the network is back. */
  async finish(): Promise<void> {
    for (const { id, state } of await this.#store.all()) {
      if (state === 'leaving') await this.#locks.request(refreshLock(id), () => this.#leave(id))
    }
  }

  close(): void {
    this.#store.close()
  }

  async #enter<Q extends object>(server: string, way: Method<Q, Entered>, request: Q): Promise<Account> {
    const { session } = await callHttp(way, request, { server, fetch: this.#fetch })
    const { person, workspace } = session ?? {}
    if (session === undefined || person === undefined || workspace === undefined) {
      throw new ServerError(Code.INTERNAL, 'client.NO_SESSION', 'The server answered without a session. Update this client.')
    }
    const { deviceId, permissions } = session
    const facts = { id: person.id, server, clientId: this.clientId, deviceId, person, workspace, permissions }
    const account: Account = { ...facts, session: newId(), tokens: tokensOf(session), state: 'active' }
    // Behind a sign-out that is going on, and a refresh, whose session this one has ended.
    await this.#locks.request(refreshLock(account.id), () => this.#store.put(account)).catch((e: unknown) => { throw serverError(e, Code.UNAVAILABLE, 'client.NOT_KEPT') })
    return account
  }

  /** leave erases a leaving account's databases, then signs it out, then forgets it: whoever dies on the way is gone on from by `finish`. */
  async #leave(id: string): Promise<void> {
    const account = await this.#store.get(id)
    if (account?.state !== 'leaving') return
    await eraseDatabases(id)
    const { server, tokens } = account
    try {
      if (tokens.refresh !== '') await callHttp(signOut, { refreshToken: tokens.refresh }, { server, fetch: this.#fetch, timeoutMs: 10_000 })
    } catch (e) {
      if (e instanceof ServerError && e.repeatable) return
    }
    await this.#store.remove(id)
  }
}
