import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb'
import { transact } from '../transaction.ts'
import { TakenOverError, type Journal, type Store } from './store.ts'

interface Schema extends DBSchema {
  /** Texts, in order: the key is the document and a number that grows. */
  texts: { key: [document: string, n: number]; value: string }
  /** Who may write: the takeover that came last. */
  owners: { key: string; value: number }
}

type Writing = IDBPTransaction<Schema, ['texts', 'owners'], 'readwrite'>

const stores = ['texts', 'owners'] as const

/** IndexedStore keeps journals in the browser's database, one for each account: what is in it is the account's own. */
export class IndexedStore implements Store {
  readonly #db: IDBPDatabase<Schema>

  private constructor(db: IDBPDatabase<Schema>) {
    this.#db = db
  }

  /** open opens the database of a name, or makes it. */
  static async open(name: string): Promise<IndexedStore> {
    const db: IDBPDatabase<Schema> = await openDB<Schema>(name, 1, {
      upgrade(made) {
        made.createObjectStore('texts')
        made.createObjectStore('owners')
      },
      blocking() {
        db.close() // a page of a later version waits to change the database: it goes before, and this page's journals fail
      },
    })
    return new IndexedStore(db)
  }

  async open(document: string): Promise<Journal> {
    const tx = this.#db.transaction(stores, 'readwrite', { durability: 'strict' })
    const owner = await takeOver(tx, document)
    const last = await tx.objectStore('texts').openKeyCursor(rangeOf(document), 'prev')
    await tx.done
    return new IndexedJournal(this.#db, document, owner, last === null ? 0 : last.key[1] + 1)
  }

  /** erase forgets a document, with what was typed and not sent. */
  async erase(document: string): Promise<void> {
    const tx = this.#db.transaction(stores, 'readwrite', { durability: 'strict' })
    await takeOver(tx, document) // whoever has it open does not write any more
    await tx.objectStore('texts').delete(rangeOf(document))
    await tx.done
  }

  close(): void {
    this.#db.close()
  }
}

/** takeOver makes a new owner of a document's journal. */
async function takeOver(tx: Writing, document: string): Promise<number> {
  const owners = tx.objectStore('owners')
  const owner = ((await owners.get(document)) ?? 0) + 1
  await owners.put(owner, document)
  return owner
}

/** rangeOf is where a document's texts lie: in keys an array comes behind all numbers. */
const rangeOf = (document: string) => IDBKeyRange.bound([document, -Infinity], [document, Infinity])

class IndexedJournal implements Journal {
  readonly #db: IDBPDatabase<Schema>
  readonly #document: string
  readonly #owner: number
  /** Of the next text. */
  #next: number
  #closed = false

  constructor(db: IDBPDatabase<Schema>, document: string, owner: number, next: number) {
    this.#db = db
    this.#document = document
    this.#owner = owner
    this.#next = next
  }

  read(): Promise<string[]> {
    return this.#db.getAll('texts', rangeOf(this.#document))
  }

  append(texts: readonly string[]): Promise<void> {
    return this.#write(texts, () => Promise.resolve())
  }

  rewrite(texts: readonly string[]): Promise<void> {
    return this.#write(texts, (tx) => tx.objectStore('texts').delete(rangeOf(this.#document)))
  }

  /** write is one transaction: all of it is there after a crash, or nothing. */
  async #write(texts: readonly string[], first: (tx: Writing) => Promise<void>): Promise<void> {
    if (this.#closed) throw new Error('the journal is closed')
    await transact(this.#db.transaction(stores, 'readwrite', { durability: 'strict' }), async (tx) => {
      if ((await tx.objectStore('owners').get(this.#document)) !== this.#owner) throw new TakenOverError()
      await first(tx)
      for (const [i, text] of texts.entries()) await tx.objectStore('texts').put(text, [this.#document, this.#next + i])
    })
    this.#next += texts.length
  }

  close(): void {
    this.#closed = true
  }
}
