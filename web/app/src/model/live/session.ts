import { Connection, type Session } from '@plenum/sdk'
import { databaseOf, type Account, type Accounts } from '@plenum/sdk/account'
import { IndexedStore, StoredOutbox } from '@plenum/sdk/outbox'

/** agent is what the server is told of us, and logs. */
export const agent = 'plenum-web/0.1'

/** openSession keeps an account's session with the page's own server. */
export async function openSession(accounts: Accounts, account: Account): Promise<Session> {
  const outbox = await StoredOutbox.open(await IndexedStore.open(databaseOf(account.id, 'outbox')), accounts.clientId)
  const connection = new Connection({ server: account.server || location.origin, tokens: accounts.tokens(account.id), outbox, agent })
  outbox.attach(connection)
  connection.open()
  return connection
}

/** follow tells the session of its person, and of what wakes it, until the function that it returns is called. */
export function attend(session: Session): () => void {
  const active = () => { session.active() }
  const probe = () => { session.probe() }
  const awake = () => {
    if (document.visibilityState === 'visible') session.probe()
  }
  window.addEventListener('keydown', active, { capture: true, passive: true })
  window.addEventListener('pointerdown', active, { capture: true, passive: true })
  window.addEventListener('online', probe)
  window.addEventListener('focus', probe)
  document.addEventListener('visibilitychange', awake)
  return () => {
    window.removeEventListener('keydown', active, { capture: true })
    window.removeEventListener('pointerdown', active, { capture: true })
    window.removeEventListener('online', probe)
    window.removeEventListener('focus', probe)
    document.removeEventListener('visibilitychange', awake)
  }
}
