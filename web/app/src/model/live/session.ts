import { Connection, type Session } from '@plenum/sdk'
import { Accounts, databaseOf } from '@plenum/sdk/account'
import { IndexedStore, MemoryStore, newId, StoredOutbox } from '@plenum/sdk/outbox'
import { agent } from './agent.ts'
import { unkept } from './storage.ts'
import { warn } from './warn.ts'

/** openSession keeps the session of an account that is signed in, with what waits in its outbox. One of all pages does so at a time, or a worker for them. */
export async function openSession(id: string): Promise<Session> {
  const accounts = await Accounts.open({ name: '', agent })
  const account = await accounts.get(id)
  const outbox = await openOutbox(id, account?.clientId ?? accounts.clientId)
  const connection = new Connection({ server: account?.server || location.origin, tokens: accounts.tokens(id), outbox, agent })
  outbox.attach(connection)
  connection.open()
  return connection
}

/** openOutbox opens an account's outbox. Where its database can't be opened it is one in memory, under a name of its own, for the numbers of the other one are not known. */
async function openOutbox(id: string, clientId: string): Promise<StoredOutbox> {
  try {
    return await StoredOutbox.open(await IndexedStore.open(databaseOf(id, 'outbox')), clientId)
  } catch (e) {
    warn(e)
    return StoredOutbox.open(new MemoryStore(), unkept + newId())
  }
}
