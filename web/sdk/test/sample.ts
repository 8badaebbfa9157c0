// The first sample of README.md, as it stands there between the lines (readme.test.ts compares them), so that it compiles.
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import type { State } from '@plenum/sdk'
// ----
import { attend, Connection } from '@plenum/sdk'
import { Accounts, databaseOf } from '@plenum/sdk/account'
import { IndexedStore, StoredOutbox } from '@plenum/sdk/outbox'
import { history, listMyChannels, send } from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { ChannelEvent } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'

const accounts = await Accounts.open({ name: 'My client', agent: 'mine/0.1' })
const account = await accounts.signIn(server, { workspaceSlug: 'acme', handle: 'ada', password })
const outbox = await StoredOutbox.open(await IndexedStore.open(databaseOf(account.id, 'outbox')), account.clientId)
const session = new Connection({ server, tokens: accounts.tokens(account.id), outbox, agent: 'mine/0.1' })
outbox.attach(session)
attend(session)                                            // wake, focus, network, keys and pointer
session.onState((state) => { banner(state) })              // connecting, online, offline until …, signed-out
session.open()

const { channels } = await session.call(listMyChannels, {})  // waits for the connection, and over lost ones
const channel = channels[0]?.channel?.id
if (channel === undefined) throw new Error('Ada is in no channel')
const { messages, cursor } = await session.call(history, { channel, limit: 50 })
show(messages)
const following = session.follow(`chat.channel/${channel}`, (update) => {
  if (update.kind === 'events') {                          // each once and in order
    for (const { body, offset, timeMs } of update.events) {
      const { event } = ChannelEvent.decode(body)
      if (event?.$case === 'posted') show([{ ...event.value, offset, timeMs }])
    }
  } else if (update.kind === 'reset') {                    // events are lost to us: load it anew, then
    void session.call(history, { channel, limit: 50 }).then((now) => {
      show(now.messages)
      if (now.cursor) following.resume(now.cursor)
    })
  }
}, cursor ? { from: cursor } : {})

await outbox.put(send, { channel, text: 'Hello' }, { lane: channel })  // on disk; sent once and in order, also by the next page
// ----
declare const server: string
declare const password: string
declare function banner(state: State): void
declare function show(messages: readonly Message[]): void
