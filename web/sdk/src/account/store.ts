import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { newId } from '../id.ts'
import type { Person, Session, Workspace } from '../proto/plenum/identity/v1/model.ts'

/** Account is somebody who is signed in here. */
export interface Account {
  /** Names its databases; the user's id. */
  readonly id: string
  /** "https://plenum.example.com"; '' is the page's own. */
  readonly server: string
  /** The client_id that signed in: its outbox's. */
  readonly clientId: string
  readonly deviceId: string
  /** Names the sign-in: it stays over refreshes, and who signs in again has another one, on the same device too. Absent: it was made before there were names. */
  readonly session?: string
  /** As they were at the last refresh. */
  readonly person: Person
  readonly workspace: Workspace
  /** What the interface offers; the services decide. */
  readonly permissions: readonly string[]
  readonly tokens: Tokens
  /**
   * `ended`: the server has ended the session; what is kept here stays for the next sign-in. `leaving`: it was signed out or is to be erased, and not all
   * of that is done.
   */
  readonly state: 'active' | 'ended' | 'leaving'
}

/** Tokens of a session. Times are `Date.now()`. */
export interface Tokens {
  readonly access: string
  readonly accessUntil: number
  /** '': the session has ended. */
  readonly refresh: string
}

interface Schema extends DBSchema {
  accounts: { key: string; value: Account }
  /** clientId: the installation's. */
  facts: { key: string; value: string }
}

/** tokensOf is a session's tokens, as they came now. */
export const tokensOf = (s: Session): Tokens => {
  const now = Date.now()
  return { access: s.accessToken, accessUntil: now + s.accessTtlMs, refresh: s.refreshToken }
}

/** AccountStore keeps who is signed in, in a database that all pages share. */
export class AccountStore {
  readonly clientId: string
  readonly #db: IDBPDatabase<Schema>

  private constructor(db: IDBPDatabase<Schema>, clientId: string) {
    this.#db = db
    this.clientId = clientId
  }

  /** open opens the database, or makes it, with the installation's client_id. */
  static async open(name = 'plenum-accounts'): Promise<AccountStore> {
    const db: IDBPDatabase<Schema> = await openDB<Schema>(name, 1, {
      upgrade(made) {
        made.createObjectStore('accounts', { keyPath: 'id' })
        made.createObjectStore('facts')
      },
      blocking() {
        db.close()
      },
    })
    const tx = db.transaction('facts', 'readwrite', { durability: 'strict' })
    const known = await tx.store.get('clientId')
    const clientId = known ?? newId()
    if (known === undefined) await tx.store.put(clientId, 'clientId')
    await tx.done
    return new AccountStore(db, clientId)
  }

  all(): Promise<Account[]> {
    return this.#db.getAll('accounts')
  }

  get(id: string): Promise<Account | undefined> {
    return this.#db.get('accounts', id)
  }

  /** put writes an account. When it resolves, it is there after a crash. */
  async put(account: Account): Promise<void> {
    const tx = this.#db.transaction('accounts', 'readwrite', { durability: 'strict' })
    await tx.store.put(account)
    await tx.done
  }

  /** change changes an account, and returns it; undefined: there is none, or `made` gave none, and nothing was changed. */
  async change(id: string, made: (account: Account) => Account | undefined): Promise<Account | undefined> {
    const tx = this.#db.transaction('accounts', 'readwrite', { durability: 'strict' })
    const account = await tx.store.get(id)
    const changed = account === undefined ? undefined : made(account)
    if (changed !== undefined) await tx.store.put(changed)
    await tx.done
    return changed
  }

  async remove(id: string): Promise<void> {
    const tx = this.#db.transaction('accounts', 'readwrite', { durability: 'strict' })
    await tx.store.delete(id)
    await tx.done
  }

  close(): void {
    this.#db.close()
  }
}
