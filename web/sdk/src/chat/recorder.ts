import { tell } from '../tell.ts'
import { Code, ServerError } from '../errors.ts'
import {
  addReaction, archiveChannel, deleteMessage, editMessage, followThread, getChannel, leaveChannel, listMentions, listMyChannels, listThreads, markRead,
  markThreadRead, markUnread, pinMessage, removeReaction, send, setNotifications, updateChannel,
} from '../proto/plenum/chat/v1/chat.methods.ts'
import { UserEvent } from '../proto/plenum/chat/v1/chat.ts'
import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import { WorkspaceEvent } from '../proto/plenum/identity/v1/event.ts'
import { getPeople, listGroups, listPeople } from '../proto/plenum/identity/v1/people.methods.ts'
import type { Method } from '../method.ts'
import type { Following, Pending, Session, Update } from '../session.ts'
import { Book } from './book.ts'
import type { Cache } from './cache/cache.ts'
import { channelChanged, channelRead, headsTold, marked, membersChanged, mineRead, topicOf, unnamed, userTold, type Channels } from './channels.ts'
import { MENTIONS, emptyInbox, inboxTold, isUnread, mentionsRead, overlaidInbox, threadsRead, type Inbox } from './inbox.ts'
import { overlaid, taken } from './marking.ts'
import type { Told } from './messages.ts'
import { UNKNOWN_MS, answered, came, changeOf, listed, nothingOutgoing, type Change, type Outgoing } from './outgoing.ts'
import { groupsListed, lacksGroup, nobody, unknown, withGroups, withPeople, workspaceTold, type Directory } from './people.ts'
import { Renames } from './renames.ts'
import { Room } from './room.ts'

/** WARM is how many channels are followed though nobody looks at them: the ones opened last. They are shown at once, and are there offline. */
export const WARM = 20

/** PRUNE_MS is how often the cache is pruned, in milliseconds. */
export const PRUNE_MS = 6 * 3_600_000

/** MEET_MS is how often a guest's client reads anew those whom the guest has met, in milliseconds. */
export const MEET_MS = 60_000

/** What ends the following of the directory where the reader may not read it any more: who was made a guest. */
const closedToMe: readonly number[] = [Code.REVOKED, Code.PERMISSION_DENIED]

const offsetOf = (answer: unknown) => ('offset' in (answer as object) ? (answer as { offset: number }).offset : 0)

const mine = 'chat.mine/me'
const user = 'chat.user/me'
const workspace = 'identity.workspace/me'

/** Which answer settles what. */
const methods: { readonly [K in Change['kind']]: Pick<Method<object, unknown>, 'response'> } = {
  Send: send, EditMessage: editMessage, DeleteMessage: deleteMessage, AddReaction: addReaction, RemoveReaction: removeReaction, PinMessage: pinMessage,
  MarkRead: markRead, MarkUnread: markUnread, MarkThreadRead: markThreadRead, FollowThread: followThread, SetNotifications: setNotifications,
  UpdateChannel: updateChannel, ArchiveChannel: archiveChannel, LeaveChannel: leaveChannel,
}

/** What a recorder has told that changed. */
export type Part = 'channels' | 'directory' | 'inbox' | 'outgoing'

export interface RecorderOptions {
  readonly session: Session
  /** The reader's id. */
  readonly me: string
  /** undefined: nothing is kept. */
  readonly cache?: Cache | undefined
  /** A channel's events, of those that are open or kept ready: for notifications. */
  readonly onTold?: (channel: string, events: readonly Told[]) => void
  /** Signals of open channels: who is typing. */
  readonly onSignal?: (channel: string, signal: Extract<Update, { kind: 'signal' }>) => void
  /** A call in the background that failed for good; what it was for is not shown. */
  readonly onFault?: (cause: unknown) => void
}

/**
 * Recorder follows what a chat client always follows, the list of channels, the reader's own events and the people, and the channels that are open, and keeps
 * it all in the cache. What it has from there is told before the network answers.
 */
export class Recorder {
  readonly drafts: Book
  readonly #o: RecorderOptions
  readonly #stop = new AbortController()
  readonly #rooms = new Map<string, { readonly room: Room; users: number }>()
  /** By channel, the last one that was opened last; called as it cools. */
  readonly #warm = new Map<string, () => void>()
  /** When the reader opened channels here, Unix milliseconds. */
  readonly #opened = new Map<string, number>()
  /** By topic. */
  readonly #followings = new Map<string, Following>()
  readonly #listeners = new Set<(part: Part) => void>()
  readonly #asked = new Set<number>()
  readonly #naming = new Set<string>()
  /** People who are asked for, or are to be; those of `#due` by the next call. */
  readonly #sought = new Set<string>()
  #due: string[] = []
  readonly #undo: (() => void)[] = []
  readonly #renames = new Renames((channel) => this.#renamed(channel))
  #channels: Channels = new Map()
  #directory: Directory = nobody
  #inbox: Inbox = emptyInbox
  #inboxKnown = false
  #shownInbox: { readonly of: Inbox; readonly by: Outgoing; readonly inbox: Inbox } | undefined
  /** Where the lists of the inbox go on; '': they are whole, or not read yet. */
  readonly #next = { threads: '', mentions: '' }
  #outgoing: Outgoing = nothingOutgoing
  #forget: ReturnType<typeof setTimeout> | undefined
  #overlaid: { readonly of: Channels; readonly by: Outgoing; readonly channels: Channels } | undefined
  #meeting: ReturnType<typeof setTimeout> | undefined
  /** When the directory was read since following it had ended, Unix milliseconds. */
  #denied = -Infinity
  #prune: ReturnType<typeof setInterval> | undefined

  constructor(o: RecorderOptions) {
    this.#o = o
    this.drafts = new Book(o.session, o.cache)
  }

  /** The list, with what waits in the outbox. */
  get channels(): Channels {
    const [of, by] = [this.#channels, this.#outgoing]
    if (this.#overlaid?.of !== of || this.#overlaid.by !== by) this.#overlaid = { of, by, channels: overlaid(of, by) }
    return this.#overlaid.channels
  }

  get directory(): Directory {
    return this.#directory
  }

  /** Followed threads and mentions, with what waits in the outbox. */
  get inbox(): Inbox {
    const [of, by] = [this.#inbox, this.#outgoing]
    if (this.#shownInbox?.of !== of || this.#shownInbox.by !== by) this.#shownInbox = { of, by, inbox: overlaidInbox(of, by) }
    return this.#shownInbox.inbox
  }

  /** The inbox is known, from the cache or the server: where it is empty, nothing is in it. */
  get inboxKnown(): boolean {
    return this.#inboxKnown
  }

  /** hasOlder says that the server has older ones than those of the inbox. Of mentions MENTIONS are kept at most. */
  hasOlder(what: 'threads' | 'mentions'): boolean {
    return this.#next[what] !== '' && (what === 'threads' || this.#inbox.mentions.length < MENTIONS)
  }

  /** older reads a further page of followed threads, or of mentions; it does nothing where there is none. */
  async older(what: 'threads' | 'mentions'): Promise<void> {
    if (!this.hasOlder(what)) return
    const page = this.#next[what]
    const read = what === 'threads' ? await this.#call(listThreads, { page, limit: 100 }) : await this.#call(listMentions, { page, limit: 100 })
    if (this.#next[what] !== page) return // somebody was faster
    this.#next[what] = read.next
    this.#setInbox('threads' in read ? threadsRead(this.#inbox, read) : mentionsRead(this.#inbox, read.mentions))
    this.#tell('inbox')
  }

  /** For `shown`. */
  get outgoing(): Outgoing {
    return this.#outgoing
  }

  onChange(listener: (part: Part) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** start tells what the cache has, and begins to follow. It resolves when the cache is read: paint then. */
  async start(): Promise<void> {
    const { cache, session } = this.#o
    const [channels, directory, inbox, standMine, standUser, standWorkspace] = await Promise.all([
      cache?.channels(), cache?.directory(), cache?.inbox(), cache?.stand(mine), cache?.stand(user), cache?.stand(workspace),
    ])
    if (this.#closed()) return
    this.#channels = channels ?? new Map()
    this.#directory = directory ?? nobody
    this.#inboxKnown = inbox !== undefined && standUser !== undefined
    if (inbox !== undefined && this.#inboxKnown) this.#inbox = inbox // else nothing would tell what was taken back since
    this.#undo.push(session.outbox.onChange((entries) => { this.#outbox(entries) }))
    this.#outbox(session.outbox.entries)
    this.#tell('channels', 'directory', 'inbox')
    await this.drafts.load(session.outbox.entries)
    if (this.#closed()) return
    this.#follow(mine, (u) => { this.#mine(u) }, standMine)
    this.#follow(user, (u, f) => { this.#user(u, f) }, standUser)
    if (standWorkspace !== undefined) this.#follow(workspace, (u, f) => { this.#workspace(u, f) }, standWorkspace)
    else this.#readPeople()
    this.#background(this.#lists())
    this.#background(this.#warmUp())
    if (cache !== undefined) {
      const prune = () => { this.#background(cache.prune(Date.now())) }
      this.#prune = setInterval(prune, PRUNE_MS)
      prune()
    }
  }

  /** open follows a channel, once however often it is opened; call the room's views' `close`, then `leave`. */
  open(channel: string): Room {
    this.use(channel)
    return this.#enter(channel)
  }

  /** glance follows a channel as open does, but doesn't count as opening it: for what shows a little of many. Call `leave`, too. */
  glance(channel: string): Room {
    return this.#enter(channel)
  }

  /** use says that the reader has opened a channel: the ones that were opened last are kept ready. */
  use(channel: string): void {
    const now = Date.now()
    this.#opened.set(channel, now)
    this.#background(this.#o.cache?.used(channel, now))
    this.#keepWarm(channel)
  }

  /** leave is the counterpart of open and glance. */
  leave(channel: string): void {
    const there = this.#rooms.get(channel)
    if (there === undefined || --there.users > 0) return
    this.#rooms.delete(channel)
    there.room.close()
  }

  /** need asks for people that the directory doesn't have, those whom a guest meets: by one call for all that are needed by the code that runs now. */
  need(ids: Iterable<string>): void {
    for (const id of unknown(this.#directory, ids)) {
      if (this.#sought.has(id)) continue
      this.#sought.add(id)
      if (this.#due.push(id) === 1) queueMicrotask(() => { this.#background(this.#seek()) })
    }
  }

  async #seek(): Promise<void> {
    const ids = this.#due
    this.#due = []
    try {
      await this.#meet(ids)
    } catch (e) {
      for (const id of ids) this.#sought.delete(id) // they may be asked for again
      throw e
    }
  }

  async #meet(ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += 500) {
      const { people } = await this.#call(getPeople, { ids: ids.slice(i, i + 500) })
      this.#setDirectory(withPeople(this.#directory, people), undefined)
    }
  }

  /** meetAgain reads those anew whom a guest has met, now and each MEET_MS: nobody tells a guest what they are called now. */
  #meetAgain(): void {
    if (this.#closed()) return
    const met = () => this.#meet([...this.#directory.people.keys()])
    this.#background(met().finally(() => {
      if (!this.#closed()) this.#meeting = setTimeout(() => { this.#meetAgain() }, MEET_MS)
    }))
  }

  close(): void {
    this.#stop.abort(new DOMException('the recorder is closed', 'AbortError'))
    this.drafts.close()
    this.#renames.close()
    clearTimeout(this.#forget)
    clearTimeout(this.#meeting)
    clearInterval(this.#prune)
    for (const undo of this.#undo) undo()
    for (const f of this.#followings.values()) f.close()
    for (const { room } of this.#rooms.values()) room.close()
    this.#rooms.clear()
    this.#listeners.clear()
  }

  #closed(): boolean {
    return this.#stop.signal.aborted
  }

  #enter(channel: string): Room {
    let there = this.#rooms.get(channel)
    if (there === undefined) {
      const { session, me, cache, onSignal } = this.#o
      const room = Room.open({
        session, me, cache, channel, openedMs: () => this.#opened.get(channel) ?? 0, head: this.#channels.get(channel)?.place.offset ?? 0,
        onTold: (events) => { this.#told(channel, events) },
        onSignal: (signal) => { onSignal?.(channel, signal) },
      })
      there = { room, users: 0 }
      this.#rooms.set(channel, there)
    }
    there.users++
    there.room.retry() // one that had ended: the reader may have joined again since
    return there.room
  }

  /** warmUp follows the channels that were opened last, so that they are there offline. */
  async #warmUp(): Promise<void> {
    for (const channel of (await this.#o.cache?.recent(WARM)) ?? []) {
      if (this.#stop.signal.aborted) return
      if (this.#warm.size >= WARM) return
      if (this.#channels.has(channel) && !this.#warm.has(channel)) this.#keepWarm(channel)
    }
  }

  /** keepWarm follows a channel until WARM others were opened since, or it may not be read any more. */
  #keepWarm(channel: string): void {
    const warm = this.#warm.get(channel)
    if (warm !== undefined) {
      this.#warm.delete(channel)
      this.#warm.set(channel, warm) // it is the last one now
      return
    }
    const unheard = this.#enter(channel).onState(({ kind }) => {
      if (kind === 'ended' || kind === 'failed') this.#cool(channel)
    })
    this.#warm.set(channel, unheard)
    const [oldest] = this.#warm.keys()
    if (this.#warm.size > WARM && oldest !== undefined) this.#cool(oldest)
  }

  #cool(channel: string): void {
    const unheard = this.#warm.get(channel)
    if (unheard === undefined) return
    this.#warm.delete(channel)
    unheard()
    this.leave(channel)
  }

  #told(channel: string, events: readonly Told[]): void {
    let next = this.#channels
    for (const { what } of events) {
      if (what?.$case === 'channel') next = channelChanged(next, what.value)
      else if (what?.$case === 'members') next = membersChanged(next, channel, this.#o.me, what.value)
    }
    this.#setChannels(next, mine, undefined)
    tell((e) => this.#o.onTold?.(channel, e), events)
    this.#settle(events)
  }

  /** settle takes out what events have shown to have taken place. */
  #settle(events: readonly { readonly mutation: string }[]): void {
    const mutations = new Set(events.map((e) => e.mutation))
    const waiting = this.#outgoing.entries.filter((p) => mutations.has(p.mutation))
    const next = came(this.#outgoing, [...mutations])
    if (next !== this.#outgoing) this.#setOutgoing(next)
    for (const p of waiting) this.#o.session.outbox.settle(p.mutation)
  }

  #follow(topic: string, told: (u: Update, f: Following) => void, from: Cursor | undefined): void {
    const cursor = from && { epoch: from.epoch, offset: from.offset }
    const f: Following = this.#o.session.follow(topic, (u) => { if (!this.#stop.signal.aborted) told(u, f) }, cursor === undefined ? {} : { from: cursor })
    this.#followings.set(topic, f)
  }

  #mine(u: Update): void {
    if (u.kind !== 'heads') return
    const before = this.#channels
    this.#setChannels(headsTold(before, u, Date.now()), mine, u.cursor)
    this.#renames.told(before, this.#channels, (id) => this.#rooms.has(id))
    this.#background(this.#redacted(before, this.#channels))
    this.#background(this.#name())
  }

  /** redacted drops what is kept of channels in which something was deleted that we haven't been told, since we don't follow them. */
  async #redacted(before: Channels, after: Channels): Promise<void> {
    const { cache } = this.#o
    if (cache === undefined) return
    for (const e of after.values()) {
      if (e.place.redacted === (before.get(e.id)?.place.redacted ?? 0) || this.#rooms.has(e.id)) continue
      const stand = await cache.stand(topicOf(e.id))
      if (stand !== undefined && stand.offset < e.place.redacted) await cache.forget(e.id)
    }
  }

  #user(u: Update, f: Following): void {
    if (u.kind === 'reset') {
      f.close()
      this.#follow(user, (next, g) => { this.#user(next, g) }, undefined)
      this.#setInbox(emptyInbox)
      this.#background(this.#lists())
      return
    }
    if (u.kind !== 'events') return
    let [channels, inbox] = [this.#channels, this.#inbox]
    const drafts = []
    for (const e of u.events) {
      if (e.body.length === 0) continue
      const event = UserEvent.decode(e.body)
      channels = userTold(channels, event)
      inbox = inboxTold(inbox, event)
      if (event.event?.$case === 'draft') drafts.push(this.drafts.told(event.event.value))
    }
    this.#setChannels(channels, user, u.cursor, drafts, inbox)
    this.#settle(u.events)
    this.#background(this.#name())
  }

  #workspace(u: Update, f: Following): void {
    if (u.kind === 'reset') {
      f.close()
      this.#readPeople()
    }
    if (u.kind === 'ended' && closedToMe.includes(u.cause.code)) {
      f.close()
      const wait = Math.min(this.#denied + MEET_MS - Date.now(), MEET_MS) // where it may be read but not followed, not without end
      this.#denied = Date.now() + Math.max(wait, 0)
      if (wait > 0) this.#meeting = setTimeout(() => { this.#readPeople() }, wait)
      else this.#readPeople()
    }
    if (u.kind !== 'events') return
    const events = u.events.flatMap((e) => (e.body.length > 0 ? [WorkspaceEvent.decode(e.body)] : []))
    const next = events.reduce(workspaceTold, this.#directory)
    this.#setDirectory(next, u.cursor)
    if (lacksGroup(next, events)) this.#background(this.#groups())
  }

  /** readPeople leaves a guest, who may not read the directory, with those whom it `need`s. */
  #readPeople(): void {
    this.#background(this.#people().catch((e: unknown) => {
      if (!(e instanceof ServerError) || e.reason !== 'identity.DIRECTORY') throw e
      this.#meetAgain()
    }))
  }

  /** people reads the directory, and follows it from where its first page stood. */
  async #people(): Promise<void> {
    let cursor: Cursor | undefined
    for (let page = ''; ;) {
      const answer = await this.#call(listPeople, { page, limit: 500, deactivated: true })
      cursor ??= answer.cursor
      this.#setDirectory(withPeople(this.#directory, answer.people), undefined)
      page = answer.next
      if (page === '') break
    }
    const groups = await this.#groups()
    this.#setDirectory(groupsListed(this.#directory, groups), cursor)
    this.#follow(workspace, (u, f) => { this.#workspace(u, f) }, cursor)
  }

  /** groups reads all groups with their members, and returns their ids. */
  async #groups(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>()
    for (let page = ''; ;) {
      const answer = await this.#call(listGroups, { page, limit: 50 })
      for (const { id } of answer.groups) ids.add(id)
      this.#setDirectory(withGroups(this.#directory, answer.groups), undefined)
      page = answer.next
      if (page === '') return ids
    }
  }

  /** lists reads what no topic says as a whole: names and roles, followed threads, mentions, drafts. */
  async #lists(): Promise<void> {
    for (let page = ''; ;) {
      const answer = await this.#call(listMyChannels, { page, limit: 500 })
      this.#setChannels(mineRead(this.#channels, answer.channels), mine, undefined)
      this.#renames.read(answer.channels.map((m) => m.channel?.id ?? ''))
      page = answer.next
      if (page === '') break
    }
    const [threads, mentions] = await Promise.all([this.#call(listThreads, { limit: 100 }), this.#call(listMentions, { limit: 100 }), this.drafts.refresh()])
    this.#next.threads = threads.next
    this.#next.mentions = mentions.next
    this.#inboxKnown = true
    this.#setInbox(mentionsRead(threadsRead(this.#inbox, threads), mentions.mentions))
    this.#tell('inbox')
    await this.#unread()
  }

  /** unread reads what the first pages of the inbox may lack of what is unread, so that its counts are exact. */
  async #unread(): Promise<void> {
    for (let page = ''; this.#next.threads !== '';) {
      const answer = await this.#call(listThreads, { page, limit: 100, unread: true })
      this.#setInbox(threadsRead(this.#inbox, answer))
      page = answer.next
      if (page === '') break
    }
    const lacking = () => {
      const found = this.#inbox.mentions.filter((m) => isUnread(m, this.#inbox, this.#channels)).length
      return found < [...this.#channels.values()].reduce((sum, e) => sum + e.badge.mentions, 0)
    }
    while (this.hasOlder('mentions') && lacking()) await this.older('mentions')
  }

  /** name reads the channels that came into the list since, one after the other; one that can't be read keeps none of the others without its name. */
  async #name(): Promise<void> {
    for (const id of unnamed(this.#channels)) {
      if (this.#naming.has(id)) continue
      this.#naming.add(id)
      try {
        await this.#read(id)
      } catch (e) {
        if (this.#closed()) return
        this.#o.onFault?.(e)
      } finally {
        this.#naming.delete(id)
      }
    }
  }

  /** renamed reads a channel anew, and returns whether it is called otherwise than it was. */
  async #renamed(channel: string): Promise<boolean> {
    const before = this.#channels.get(channel)?.channel
    const reading = this.#read(channel)
    this.#background(reading)
    await reading.catch(() => undefined)
    const now = this.#channels.get(channel)?.channel
    return before !== undefined && now !== undefined && now.name !== before.name
  }

  /** read reads what a channel is called now. One that has left the list meanwhile doesn't matter. */
  async #read(channel: string): Promise<void> {
    if (!this.#channels.has(channel)) return
    const answer = await this.#call(getChannel, { channel })
    if (!this.#channels.has(channel)) return
    this.#setChannels(channelRead(this.#channels, answer), mine, undefined) // as the list is now, not as it was when it was asked for
  }

  #outbox(entries: readonly Pending[]): void {
    this.#setOutgoing(listed(this.#outgoing, entries, Date.now()))
    for (const p of entries) {
      const change = changeOf(p)
      if (change === undefined || p.state === 'refused' || this.#asked.has(p.seq)) continue
      this.#asked.add(p.seq)
      this.#o.session.outbox.answer(p.seq, methods[change.kind] as Method<never, unknown>).then(
        (answer) => { this.#answered(p, change, answer) },
        () => { this.#asked.delete(p.seq) }, // refused, and shown so; or dropped
      )
    }
  }

  #answered(p: Pending, change: Change, answer: unknown): void {
    this.#asked.delete(p.seq)
    if (this.#stop.signal.aborted || answer === undefined) return
    const channel = change.request.channel
    if (change.kind === 'MarkRead' || change.kind === 'MarkUnread') {
      const shown = this.channels.get(channel)?.badge.mentions ?? 0
      const { marker } = answer as { marker?: Parameters<typeof marked>[2] }
      if (marker !== undefined) this.#setChannels(marked(this.#channels, channel, marker, shown), mine, undefined)
    } else if (change.kind === 'MarkThreadRead') {
      const { thread } = answer as { thread?: Parameters<typeof threadsRead>[1]['threads'][number] }
      if (thread !== undefined) this.#setInbox(threadsRead(this.#inbox, { threads: [thread] }))
    } else {
      this.#setChannels(taken(this.#channels, p, offsetOf(answer)), mine, undefined)
    }
    this.#setOutgoing(answered(this.#outgoing, p, offsetOf(answer), Date.now()))
  }

  #setChannels(next: Channels, topic: string, cursor: Cursor | undefined, drafts: Parameters<Cache['putChannels']>[4] = [], inbox = this.#inbox): void {
    const [before, old] = [this.#channels, this.#inbox]
    if (next === before && inbox === old && cursor === undefined) return
    this.#channels = next
    this.#inbox = inbox
    this.#background(this.#o.cache?.putChannels(before, next, topic, cursor, drafts, [old, inbox]))
    if (next !== before) this.#tell('channels')
    if (inbox !== old) this.#tell('inbox')
  }

  #setDirectory(next: Directory, cursor: Cursor | undefined): void {
    const before = this.#directory
    if (next === before && cursor === undefined) return
    this.#directory = next
    this.#background(this.#o.cache?.putDirectory(before, next, workspace, cursor))
    if (next !== before) this.#tell('directory')
  }

  #setInbox(next: Inbox): void {
    const before = this.#inbox
    if (next === before) return
    this.#inbox = next
    this.#background(this.#o.cache?.putInbox(before, next))
    this.#tell('inbox')
  }

  #setOutgoing(next: Outgoing): void {
    this.#outgoing = next
    clearTimeout(this.#forget)
    if (next.landed.some((l) => l.offset === undefined)) this.#forget = setTimeout(() => { this.#outbox(this.#o.session.outbox.entries) }, UNKNOWN_MS)
    this.#tell('outgoing', 'channels', 'inbox')
  }

  #tell(...parts: Part[]): void {
    for (const part of parts) for (const listener of this.#listeners) tell(listener, part)
  }

  #call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>): Promise<A> {
    return this.#o.session.call(method, request, { signal: this.#stop.signal })
  }

  #background(work: Promise<unknown> | undefined): void {
    work?.catch((e: unknown) => { if (!this.#stop.signal.aborted) this.#o.onFault?.(e) })
  }
}
