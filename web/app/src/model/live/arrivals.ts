import type { Session } from '@plenum/sdk'
import { groupsOf, names, threadKey, type Recorder } from '@plenum/sdk/chat'
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { getMessages, history } from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createSignal, type Accessor } from 'solid-js'
import type { Arrivals, Listening, Said } from '../../notify/arrivals.ts'
import { moved, standOf, type Ask } from './gather.ts'
import { kindName, levelName } from './names.ts'
import { warn } from './warn.ts'

/** How long it waits for what belongs together, in ms: a message moves its channel, its thread and the list of mentions. */
const gathering = 300

/** How many conversations are read at a time, and how many messages of each; the rest is counted. */
const mostAsked = 4
const mostRead = 10

/** For so long after the page is connected first, what it hasn't read is not counted either, in ms: it is the time before. */
const settling = 5_000

/** LiveArrivals reads what arrives in the conversations that nobody looks at, by the recorder's lists. */
export class LiveArrivals implements Arrivals {
  readonly #session: Session
  readonly #recorder: Recorder
  readonly #me: string
  readonly #moves: Accessor<number>
  #online = Infinity

  constructor(session: Session, recorder: Recorder, me: string) {
    this.#session = session
    this.#recorder = recorder
    this.#me = me
    const [moves, move] = createSignal(0)
    this.#moves = moves
    recorder.onChange((part) => {
      if (part === 'channels' || part === 'inbox') move((n) => n + 1)
    })
    const online = () => {
      if (session.state.kind === 'online') this.#online = Math.min(this.#online, Date.now())
    }
    online()
    session.onState(online)
  }

  listen({ wants, tells, told }: Listening): () => void {
    const recorder = this.#recorder
    const since = this.now()
    const stop = new AbortController()
    let stand = standOf(recorder.channels, recorder.inbox)
    let timer: ReturnType<typeof setTimeout> | undefined
    let busy = Promise.resolve()
    const look = async () => {
      const before = stand
      const { channels, inbox } = recorder
      stand = standOf(channels, inbox)
      const asks = moved(before, channels, inbox, ({ channel, badge }) => wants({ kind: kindName(channel?.kind ?? badge.kind), muted: badge.muted, level: levelName(badge.level) }), since)
      if (asks.length === 0 || !(await tells())) return
      const answers = await Promise.all(asks.slice(0, mostAsked).map((ask) => this.#read(ask, stop.signal)))
      const rest = asks.slice(mostAsked).reduce((sum, ask) => sum + (ask.kind === 'one' ? 1 : ask.count), answers.reduce((sum, { more }) => sum + more, 0))
      const said = new Map(answers.flatMap(({ said: all }) => all).map((one) => [threadKey(one.channel, one.offset), one]))
      if (!stop.signal.aborted) told({ said: [...said.values()], more: Date.now() - this.#online < settling ? 0 : rest, now: this.now() })
    }
    const off = recorder.onChange((part) => {
      if (part !== 'channels' && part !== 'inbox') return
      timer ??= setTimeout(() => {
        timer = undefined
        busy = busy.then(look).catch((cause: unknown) => {
          if (!stop.signal.aborted) warn(cause)
        })
      }, gathering)
    })
    return () => {
      stop.abort()
      clearTimeout(timer)
      off()
    }
  }

  now(): number {
    const { state } = this.#session
    return Date.now() + (state.kind === 'online' ? state.skew : 0)
  }

  read({ channel, offset, root, shown }: Pick<Said, 'channel' | 'offset' | 'root' | 'shown'>): boolean {
    this.#moves()
    if (shown) return offset <= (this.#recorder.channels.get(channel)?.badge.marker?.offset ?? 0)
    return offset <= (this.#recorder.inbox.threads.get(threadKey(channel, root))?.read ?? 0)
  }

  async #read(ask: Ask, signal: AbortSignal): Promise<{ readonly said: readonly Said[]; readonly more: number }> {
    const { channel } = ask
    if (ask.kind === 'one') {
      const { messages } = await this.#session.call(getMessages, { channel, offsets: [ask.offset] }, { signal })
      return { said: messages.map((message) => this.#said(channel, message)), more: 0 }
    }
    const { root, after, count } = ask
    const { messages } = await this.#session.call(history, { channel, root, place: { $case: 'after', value: after }, limit: mostRead }, { signal })
    const said = messages.filter((message) => message.offset > after).map((message) => this.#said(channel, message))
    return { said, more: messages.length < mostRead ? 0 : Math.max(0, count - said.length) }
  }

  #said(channel: string, message: Message): Said {
    const { offset, root, alsoInChannel, author, timeMs, text, deleted, system } = message
    const thread = this.#recorder.inbox.threads.get(threadKey(channel, root))
    return {
      channel, offset, root, author, timeMs, text,
      shown: root === 0 || alsoInChannel,
      gone: deleted || system !== undefined,
      names: names(message, this.#me, groupsOf(this.#recorder.directory, this.#me)),
      everybody: message.mentions?.everybody === true,
      following: thread?.following === true,
    }
  }

}
