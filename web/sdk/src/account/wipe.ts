import { deleteDB } from 'idb'

/** What an account may have a database for, where the browser doesn't tell which there are. */
const parts = ['outbox', 'cache', 'documents'] as const
/** How long erasing waits for another page that has one of them open and doesn't close it, in ms. It is erased once that is gone. */
const patience = 5000

/** databaseOf names an account's database for one purpose, "outbox": by that name it is found when the account is erased. */
export const databaseOf = (id: string, part: string) => `plenum-${part}-${id}`

/** eraseDatabases erases every database of an account. Pages that have one open are told to close it, and what they do behind that fails. */
export async function eraseDatabases(id: string): Promise<void> {
  const names = new Set(parts.map((part) => databaseOf(id, part)))
  for (const { name } of await known()) if (name?.startsWith('plenum-') === true && name.endsWith(`-${id}`)) names.add(name)
  await Promise.all([...names].map(erase))
}

async function known(): Promise<IDBDatabaseInfo[]> {
  try {
    return await indexedDB.databases()
  } catch {
    return [] // older browsers don't tell
  }
}

async function erase(name: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const blocked = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience)
  })
  await Promise.race([deleteDB(name), blocked])
  clearTimeout(timer)
}
