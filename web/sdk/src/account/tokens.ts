import type { TokenSource } from '../edge/token.ts'
import { Code, ServerError } from '../errors.ts'
import { serverError } from '../fault.ts'
import type { Session } from '../proto/plenum/identity/v1/model.ts'
import { refresh } from '../proto/plenum/identity/v1/session.methods.ts'
import { callHttp, type Fetch } from './http.ts'
import type { Locks } from './locks.ts'
import { tokensOf, type Account, type AccountStore, type Tokens } from './store.ts'

/** How long before its end a token is no longer given out, in ms. */
const early = 30_000
/** How often a refresh is repeated whose answer was lost, and how long it waits before the first time, in ms; then twice as long. */
const repetitions = 3
const firstWait = 500

/**
 * AccountTokens refreshes an account's tokens when they are asked for: one page or worker at a time, for a refresh token is spent by its use. Whether the session
 * has ended the server says, not this device's clock.
 */
export class AccountTokens implements TokenSource {
  readonly #store: AccountStore
  readonly #id: string
  readonly #locks: Locks
  readonly #fetch: Fetch
  /** A new session that could not be stored yet, and the refresh token that was spent for it. It isn't used before it is stored. */
  #unsaved: { readonly spent: string; readonly session: Session; readonly fresh: Tokens } | undefined

  constructor(store: AccountStore, id: string, locks: Locks, fetch: Fetch) {
    this.#store = store
    this.#id = id
    this.#locks = locks
    this.#fetch = fetch
  }

  async token(stale?: string): Promise<string> {
    const good = (tokens: Tokens) => tokens.access !== '' && tokens.access !== stale && tokens.accessUntil - Date.now() > early
    const { tokens } = await this.#account()
    if (good(tokens)) return tokens.access
    return this.#locks.request(refreshLock(this.#id), async () => {
      const account = await this.#account() // another page may have been faster
      return good(account.tokens) ? account.tokens.access : this.#refreshed(account)
    })
  }

  async #account(): Promise<Account> {
    const account = await this.#store.get(this.#id)
    if (account?.state !== 'active') throw signedOut()
    return account
  }

  async #refreshed({ server, clientId, tokens }: Account): Promise<string> {
    const spent = tokens.refresh
    if (this.#unsaved?.spent !== spent) this.#unsaved = { spent, ...(await this.#refresh(server, spent, clientId)) }
    const { session, fresh } = this.#unsaved
    const { person, workspace, permissions, deviceId } = session
    const kept = await this.#save((account) => {
      if (account.state !== 'active') return undefined
      if (account.tokens.refresh !== spent) return account // where there are no locks: another page was faster, or somebody has signed in again
      const facts = { permissions, deviceId, person: person ?? account.person, workspace: workspace ?? account.workspace }
      return { ...account, ...facts, tokens: fresh }
    })
    this.#unsaved = undefined
    if (kept === undefined) throw signedOut() // meanwhile
    return kept.tokens.access
  }

  /** refresh asks the server, also again where the answer is lost: the same token gets the same answer within 60 s. */
  async #refresh(server: string, refreshToken: string, clientId: string): Promise<{ session: Session; fresh: Tokens }> {
    for (let i = 0; ; i++) {
      try {
        const { session } = await callHttp(refresh, { refreshToken, clientId }, { server, fetch: this.#fetch, timeoutMs: 10_000 })
        if (session !== undefined) return { session, fresh: tokensOf(session) }
        throw new ServerError(Code.INTERNAL, 'client.NO_SESSION', 'The server answered without a session.')
      } catch (e) {
        if (!(e instanceof ServerError)) throw e
        if (e.code === Code.PERMISSION_DENIED || e.code === Code.SESSION_REVOKED) await this.#ended()
        if (e.code !== Code.OUTCOME_UNKNOWN || i >= repetitions) throw e
        await new Promise((resolve) => setTimeout(resolve, (0.5 + Math.random() / 2) * firstWait * 2 ** i))
      }
    }
  }

  async #save(made: (account: Account) => Account | undefined): Promise<Account | undefined> {
    try {
      return await this.#store.change(this.#id, made)
    } catch (e) {
      throw serverError(e, Code.UNAVAILABLE, 'client.NOT_KEPT')
    }
  }

  async #ended(): Promise<void> {
    await this.#save((account) => (account.state === 'active' ? { ...account, tokens: noTokens, state: 'ended' } : undefined))
  }
}

export const noTokens: Tokens = { access: '', accessUntil: 0, refresh: '' }

/** refreshLock is held while an account's refresh token is used. */
export const refreshLock = (id: string) => `plenum-refresh-${id}`

const signedOut = () => new ServerError(Code.PERMISSION_DENIED, 'client.SIGNED_OUT', 'The session has ended. Sign in again.')
