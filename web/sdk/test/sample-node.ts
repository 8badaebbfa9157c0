// The second sample of README.md, likewise: a session in Node.
declare const server: string, password: string
// ----
import { Connection, type TokenSource } from '@plenum/sdk'
import { callHttp } from '@plenum/sdk/account'
import { MemoryStore, newId, StoredOutbox } from '@plenum/sdk/outbox'
import { refresh, signIn } from '@plenum/sdk/proto/plenum/identity/v1/session.methods.ts'

const clientId = newId()                                   // keep it, and the refresh token, for the next run
let { session } = await callHttp(signIn, { workspaceSlug: 'acme', handle: 'ada', password, client: { clientId, name: 'My bot', agent: 'mine/0.1-bot' } }, { server })
const tokens: TokenSource = {
  async token(stale) {
    if (session?.accessToken === stale) session = (await callHttp(refresh, { refreshToken: session?.refreshToken ?? '', clientId }, { server })).session
    return session?.accessToken ?? ''
  },
}
const outbox = await StoredOutbox.open(new MemoryStore(), clientId)
const connection = new Connection({ server, tokens, outbox, agent: 'mine/0.1-bot' })
outbox.attach(connection)
connection.open()
