/** Transaction is one of IndexedDB's, as `idb` has it, as far as it is needed. */
interface Transaction {
  readonly done: Promise<void>
  readonly error: DOMException | null
  abort(): void
}

/** transact writes all of a transaction, or nothing: where `write` fails it is undone, and rejects with why. It resolves once all is on disk. */
export async function transact<T extends Transaction>(tx: T, write: (tx: T) => Promise<void>): Promise<void> {
  const { done } = tx
  done.catch(() => undefined) // where it is aborted, the reason is thrown below
  try {
    await write(tx)
  } catch (e) {
    const cause = tx.error ?? e // the disk may have been found full as an earlier request was written
    try {
      tx.abort()
    } catch {
      // It has been.
    }
    throw cause
  }
  await done
}
