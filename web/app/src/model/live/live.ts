/** The application's model over the SDK. */
import { attend, type Method, type Session, type State } from '@plenum/sdk'
import type { Account as Stored } from '@plenum/sdk/account'
import { emptyInbox, isDirect, mentions, readTo, Recorder, sections, unread, unreadFrom, type Counts, type Entry, type Mark } from '@plenum/sdk/chat'
import { Cache, search } from '@plenum/sdk/chat/cache'
import { join } from '@plenum/sdk/share'
import { ChannelKind } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createEffect, createMemo, createRoot, createSignal, on } from 'solid-js'
import type { Rooms } from '../../chat/room.ts'
import { text } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { toast } from '../../ui/toasts.ts'
import type { Channel, Connection, Kept, Model, Presence } from '../model.ts'
import type { Doors, LiveAccess } from './access.ts'
import { change, forgotten } from './change.ts'
import { browse, preview } from './browse.ts'
import { administrationOf } from './administration.ts'
import { LiveArrivals } from './arrivals.ts'
import { Chosen, quietOf } from './chosen.ts'
import { LiveInbox } from './inbox.ts'
import { Keeper, type NotKept } from './keep.ts'
import { channelRoleName, done, groupOf, historyName, kindName, levelName, levelNumber, personOf, postingName } from './names.ts'
import { Watching } from './presence.ts'
import { profileOf } from './profile.ts'
import { LiveRooms, marks } from './rooms.ts'
import { watchStorage } from './storage.ts'
import { unites } from './shared.ts'
import { warn } from './warn.ts'

/** Opened is all that is open of an account. */
interface Opened {
  readonly session: Session
  readonly recorder: Recorder
  readonly cache: Cache
  readonly keeper: Keeper
  readonly rooms: LiveRooms
  readonly watching: Watching
  readonly chosen: Chosen
  close(): void
}

/** For how long a connection has to stand, in ms, before a list without channels is taken for all that there is. */
const listedBy = 1_000

/** When this page was loaded. */
const begun = Date.now()

const absent: Presence = { state: 'unknown', mobile: false, emoji: '', text: '' }
const collator = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true })

/** Live is the model of who is signed in, and what opens it for them. */
export interface Live extends Doors {
  readonly model: Model
  readonly rooms: Rooms
}

/** createLive makes the model, which is there from then on, whoever is signed in. What it knows of them is painted before the network answers. */
export function createLive(access: LiveAccess): Live {
  return createRoot(() => live(access), null)
}

function live(access: LiveAccess): Live {
  const [opened, setOpened] = createSignal<Opened | undefined>()
  const [connection, setConnection] = createSignal<Connection>({ kind: 'connecting' })
  const [channels, setChannels] = createSignal<Recorder['channels']>(new Map())
  const [directory, setDirectory] = createSignal<Recorder['directory'] | undefined>()
  const [inbox, setInbox] = createSignal<Recorder['inbox']>(emptyInbox, { equals: false })
  const [outgoing, setOutgoing] = createSignal<Recorder['outgoing']>({ entries: [], landed: [], seen: [] })
  const [storage, setStorage] = createSignal<Kept>('kept')
  const [ready, setReady] = createSignal(false)
  const [written, setWritten] = createSignal<ReadonlySet<string>>(new Set())

  const enter = async (account: Stored) => {
    const me = account.person.id
    const [session, cache] = await Promise.all([joinSession(me), Cache.open(me)])
    const recorder: Recorder = new Recorder({
      session,
      me,
      cache,
      onTold: (channel, events) => {
        rooms.told(channel, events)
        for (const { actor, what } of events) if (what?.$case === 'posted') rooms.said(channel, what.value.root, actor)
        liveInbox.told(channel, events)
      },
      onSignal: (channel, { from, key, body }) => {
        if (key === 'typing') rooms.heard(channel, from, body)
      },
      onFault: warn,
    })
    const onNotKept: NotKept = (cause, again) => void import('../../offline/told.ts').then(({ notKept }) => notKept(cause, again))
    const keeper = new Keeper({ session, makeRoom: () => cache.makeRoom(), onNotKept })
    const rooms = new LiveRooms({ session, recorder: () => recorder, me, outgoing, keeper, onNotKept })
    const unwatched = watchStorage(cache, session.outbox.clientId, setStorage, 'storage' in navigator ? navigator.storage : undefined)
    const watching = new Watching(session)
    const chosen = new Chosen(session, me)
    const quiet = attend(session)
    recorder.onChange((part) => {
      if (part === 'channels') {
        setChannels(recorder.channels)
        if (recorder.channels.size > 0) setReady(true)
      } else if (part === 'inbox') setInbox(recorder.inbox)
      else if (part === 'directory') setDirectory(recorder.directory)
      else {
        setOutgoing(recorder.outgoing)
        for (const entry of forgotten(recorder.outgoing.entries, begun)) {
          session.outbox.drop(entry.seq).then(
            (dropped) => dropped && toast(text().toast.refused, { kind: 'failure', cause: explain(entry.cause), action: undefined }),
            warn, // it is told again when the page is loaded the next time
          )
        }
      }
    })
    recorder.drafts.onChange(() => setWritten(new Set(recorder.drafts.all.filter((w) => w.root === 0 && w.text !== '').map((w) => w.channel))))
    const flush = () => { recorder.drafts.flush() }
    window.addEventListener('pagehide', flush)
    let listed: ReturnType<typeof setTimeout> | undefined
    const stands = (state: State) => {
      setConnection(connectionOf(state))
      if (state.kind === 'online') {
        clearTimeout(listed)
        listed = setTimeout(() => setReady(true), listedBy) // who has no channel is told of none
        void access.renewed()
      }
      if (state.kind === 'signed-out' || state.kind === 'wiped') void access.ended(state.kind === 'wiped')
    }
    session.onState(stands)
    stands(session.state) // it may have connected while the cache was opened
    await recorder.start()
    setOpened({
      session, recorder, cache, keeper, rooms, watching, chosen,
      close: () => {
        window.removeEventListener('pagehide', flush)
        clearTimeout(listed)
        quiet()
        unwatched()
        watching.close()
        chosen.close()
        recorder.close()
        cache.close()
        session.close()
      },
    })
  }
  const leave = () => {
    opened()?.close()
    setOpened(undefined)
    setReady(false)
    setChannels(new Map())
    setDirectory(undefined)
    setInbox(emptyInbox)
  }
  const liveInbox = new LiveInbox(opened, inbox, channels)

  const session = () => {
    const there = opened()
    if (there === undefined) throw new Error('nobody is signed in')
    return there.session
  }
  const me = () => {
    const stage = access.stage()
    return stage.kind === 'signed-in' ? stage.account.me : ''
  }
  const toldPeople = createMemo(() => directory()?.people) // what becomes of groups changes nothing of people
  const people = createMemo(() => [...(toldPeople()?.values() ?? [])].map(personOf))
  const byId = createMemo(() => new Map(people().map((person) => [person.id, person])))
  const toldGroups = createMemo(() => directory()?.groups)
  const groups = createMemo(() => {
    const stage = access.stage()
    const sees = stage.kind === 'signed-in' && stage.account.permissions.has('identity.directory') // not who was made a guest, whatever is known from before
    return sees ? [...(toldGroups()?.values() ?? [])].map((group) => groupOf(group, stage.account.me)) : []
  })
  const known = new WeakMap<Entry, Channel>()
  const channelOf = (e: Entry): Channel => {
    const draft = written().has(e.id)
    const before = known.get(e)
    if (before?.draft === draft) return before
    const { channel, badge } = e
    const made: Channel = {
      id: e.id,
      kind: kindName(channel?.kind ?? badge.kind),
      name: isDirect(e) ? '' : (channel?.name ?? ''),
      topic: channel?.topic ?? '',
      purpose: channel?.purpose ?? '',
      archived: channel?.archived ?? false,
      posting: postingName(channel?.posting),
      history: historyName(channel?.history),
      creator: channel?.creator ?? '',
      created: channel?.createdMs ?? 0,
      role: isDirect(e) ? 'none' : channelRoleName(e.role),
      members: channel?.members ?? 0,
      people: channel?.people ?? [],
      unread: unread(e),
      mentions: mentions(e),
      muted: badge.muted,
      level: levelName(badge.level),
      draft,
    }
    known.set(e, made)
    return made
  }
  const list = createMemo(() => {
    const { channels: named, direct } = sections(channels(), me(), directory() ?? { people: new Map(), groups: new Map(), gone: new Set() }, collator)
    return [...named, ...direct].map(channelOf)
  })
  const mark = <Q extends object, A>(method: Method<Q, A>, to: Mark<Q>) => opened()?.keeper.put(method, to.request, { lane: marks, note: to.note })
  /** markRead reads a channel to its end. What it returns puts the marker back to where it was; undefined: nothing was unread. */
  const markRead = (before: Entry): (() => void) | undefined => {
    const to = unread(before) > 0 ? readTo(before, before.place.offset, undefined, new Set()) : undefined
    if (to === undefined) return undefined
    mark(chat.markRead, to)
    const { marker } = before.badge
    const note: Counts = { count: marker?.count ?? 0, calls: marker?.calls ?? 0, mentions: before.badge.mentions }
    return () => {
      const now = channels().get(before.id)
      if (now) mark(chat.markUnread, { ...unreadFrom(now, (marker?.offset ?? 0) + 1, undefined, new Set()), note })
    }
  }
  const rooms: Rooms = {
    open: (channel, root, glance) => {
      const there = opened()
      if (there === undefined) throw new Error('nobody is signed in')
      return there.rooms.open(channel, root, glance)
    },
    close: (room) => opened()?.rooms.close(room),
    unsent: (channel) => opened()?.rooms.unsent(channel) ?? [],
    retry: (seq) => opened()?.rooms.retry(seq),
    drop: (seq) => opened()?.rooms.drop(seq),
    beside: (channel) => {
      const there = opened()
      if (there === undefined) throw new Error('nobody is signed in')
      return there.rooms.beside(channel)
    },
    leave: (beside) => opened()?.rooms.leave(beside),
  }

  const quiet = createMemo(() => quietOf(opened()?.chosen.status()))
  const model: Model = {
    access,
    connection,
    sending: () => outgoing().entries.filter((entry) => entry.state !== 'refused').length,
    storage,
    reconnect: () => opened()?.session.probe(),
    channels: list,
    ready,
    channel: (id) => {
      const entry = channels().get(id)
      return entry && channelOf(entry)
    },
    people,
    person: (id) => {
      const person = byId().get(id)
      if (person === undefined && id !== '') opened()?.recorder.need([id]) // '': whose it is isn't known yet
      return person
    },
    groups,
    presence: (id) => (id === '' ? absent : (opened()?.watching.of(id) ?? absent)),
    createChannel: async ({ name, topic, private: hidden }) => {
      const { channel } = await session().call(chat.createChannel, { name, topic, kind: hidden ? ChannelKind.PRIVATE : ChannelKind.PUBLIC })
      return channel
    },
    openDirect: async (users) => (await session().call(chat.openDirect, { users: [...users] })).channel,
    browse: (words, page, archived) => browse(session(), words, page, archived, (id) => channels().has(id)),
    preview: (channel) => preview(session(), channel),
    join: (channel) => session().call(chat.joinChannel, { channel }).then(done),
    leave: (channel) => change(session(), chat.leaveChannel, { channel }, channel).then(done),
    setNotifications: (channel, { muted, level }) => change(session(), chat.setNotifications, { channel, muted, level: levelNumber(level) }, channel).then(done),
    markRead: (channel) => {
      const entry = channels().get(channel)
      if (entry) markRead(entry)
    },
    markAllRead: () => {
      const undo = [...channels().values()].flatMap((entry) => markRead(entry) ?? [])
      return undo.length === 0 ? undefined : () => undo.forEach((back) => back())
    },
    inbox: liveInbox,
    search: async function* (query) {
      const cache = opened()?.cache
      if (cache) yield* search(cache, query)
    },
    status: () => opened()?.chosen.status(),
    quiet,
    arrivals: () => {
      const there = opened()
      if (there === undefined) throw new Error('nobody is signed in')
      return new LiveArrivals(there.session, there.recorder, me())
    },
    profile: profileOf(session, me, () => opened()?.chosen),
    administration: administrationOf(session, (id) => byId().get(id)?.name),
  }
  // What is chosen on another device shows in one's own presence.
  createEffect(on(() => opened()?.watching.of(me()), () => void opened()?.chosen.refresh(), { defer: true }))
  return { model, rooms, enter, leave }
}

/** joinSession is the session that all pages of the browser have together. */
function joinSession(id: string): Promise<Session> {
  const worker = () => new SharedWorker(new URL('worker.ts', import.meta.url), { type: 'module', name: id })
  return join({ name: id, open: async () => (await import('./session.ts')).openSession(id), worker, unites })
}

function connectionOf(state: State): Connection {
  switch (state.kind) {
    case 'online':
    case 'connecting':
      return { kind: state.kind }
    case 'outdated':
      return { kind: 'outdated' }
    default:
      return { kind: 'offline', retryAt: state.kind === 'offline' && navigator.onLine ? state.retryAt : undefined }
  }
}
