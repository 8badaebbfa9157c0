import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb'
import { transact } from '../transaction.ts'
import { taken, type Box, type Contents, type Kept, type Past, type Store, type Write } from './store.ts'

interface Schema extends DBSchema {
  entries: { key: number; value: Kept }
  /** clientId; reserved, tried, past: see Contents; owner: who may write, the takeover that came last. */
  facts: { key: string; value: string | number | readonly Past[] }
}

type Writing = IDBPTransaction<Schema, ['entries', 'facts'], 'readwrite'>

const stores = ['entries', 'facts'] as const

/** IndexedStore keeps an outbox in a database of its own. */
export class IndexedStore implements Store {
  readonly #db: IDBPDatabase<Schema>

  private constructor(db: IDBPDatabase<Schema>) {
    this.#db = db
  }

  /** open opens the database of a name, or makes it. */
  static async open(name: string): Promise<IndexedStore> {
    const db: IDBPDatabase<Schema> = await openDB<Schema>(name, 1, {
      upgrade(made) {
        made.createObjectStore('entries', { keyPath: 'seq' })
        made.createObjectStore('facts')
      },
      blocking() {
        db.close() // it is erased, or a page of a later version changes it: what this page writes fails
      },
    })
    return new IndexedStore(db)
  }

  async open(clientId: string): Promise<Box> {
    const tx = this.#db.transaction(stores, 'readwrite', { durability: 'strict' })
    const facts = tx.objectStore('facts')
    const number = async (key: string, otherwise: number) => ((await facts.get(key)) as number | undefined) ?? otherwise
    const owner = (await number('owner', 0)) + 1
    await facts.put(owner, 'owner')
    const known = (await facts.get('clientId')) as string | undefined
    if (known === undefined) await facts.put(clientId, 'clientId')
    const contents: Contents = {
      clientId: known ?? clientId,
      reserved: await number('reserved', 1),
      tried: await number('tried', 0),
      entries: await tx.objectStore('entries').getAll(),
      past: ((await facts.get('past')) as readonly Past[] | undefined) ?? [],
    }
    await tx.done
    return new IndexedBox(this.#db, owner, contents)
  }

  close(): void {
    this.#db.close()
  }
}

class IndexedBox implements Box {
  readonly contents: Contents
  readonly #db: IDBPDatabase<Schema>
  readonly #owner: number
  #closed = false

  constructor(db: IDBPDatabase<Schema>, owner: number, contents: Contents) {
    this.#db = db
    this.#owner = owner
    this.contents = contents
  }

  async write(w: Write): Promise<void> {
    if (this.#closed) throw new Error('the outbox is closed')
    await transact(this.#db.transaction(stores, 'readwrite', { durability: 'strict' }), (tx) => this.#fill(tx, w))
  }

  async #fill(tx: Writing, w: Write): Promise<void> {
    const facts = tx.objectStore('facts')
    const entries = tx.objectStore('entries')
    if ((await facts.get('owner')) !== this.#owner) throw taken()
    if (w.reserved !== undefined) await facts.put(w.reserved, 'reserved')
    if (w.tried !== undefined) await facts.put(w.tried, 'tried')
    if (w.past !== undefined) await facts.put(w.past, 'past')
    for (const seq of w.remove ?? []) await entries.delete(seq)
    for (const e of w.put ?? []) await entries.put(e)
  }

  close(): void {
    this.#closed = true
  }
}
