/** A model without a server: a lively workspace for the gallery and for tests of screens. Nothing of it is in a build. */
import { createSignal } from 'solid-js'
import type { Listening, Said } from '../notify/arrivals.ts'
import type { AuditEntry, Channel, Connection, Device, Group, Invitation, Kept, Link, Model, Page, Person, Presence, Quiet, Refusal, Role, Stage, Status } from './model.ts'
import { sampleInbox, sampleSearch } from './sampleInbox.ts'

/** Variant is what the gallery shows. */
export interface Variant {
  readonly stage?: Stage['kind']
  readonly connection?: Connection
  readonly sending?: number
  readonly storage?: Kept
  /** As it is right after the first run. */
  readonly empty?: boolean
  /** Somebody writes, a moment after the page is there. */
  readonly arriving?: boolean
  readonly paused?: boolean
}

const minute = 60_000 // ms

export const names = {
  ines: 'Inès Duval',
  tomas: 'Tomáš Novák',
  amara: 'Amara Okafor',
  wei: 'Wei Zhang',
  lucia: 'Lucía Ferrer',
  jonas: 'Jonas Lindqvist',
  priya: 'Priya Raman',
  samir: 'Samir Haddad',
  greta: 'Greta Vogel',
  noah: 'Noah Bennett',
} as const

export type Name = keyof typeof names

const titles: Readonly<Record<Name, string>> = {
  ines: 'Product',
  tomas: 'Backend',
  amara: 'Head of Research',
  wei: 'Infrastructure',
  lucia: 'Design',
  jonas: 'Support',
  priya: 'Data',
  samir: 'Mobile',
  greta: 'Finance',
  noah: 'Writing',
}

const people: readonly Person[] = (Object.keys(names) as Name[]).map((id, n) => ({
  id,
  handle: id,
  name: names[id],
  role: n === 0 ? 'owner' : n === 2 ? 'admin' : n === 9 ? 'guest' : 'member',
  title: titles[id],
  deactivated: false,
}))

const groups: readonly Group[] = [
  { id: 'research', handle: 'research', name: 'Research', members: 4, mine: true },
  { id: 'on-call', handle: 'on-call', name: 'On call this week', members: 2, mine: false },
]

const none: Presence = { state: 'offline', mobile: false, emoji: '', text: '' }

const presence: Readonly<Record<string, Presence>> = {
  ines: { ...none, state: 'online' },
  tomas: { ...none, state: 'online', emoji: '🎧', text: 'Focusing' },
  amara: { ...none, state: 'away' },
  wei: { ...none, state: 'silent', emoji: '🚨', text: 'On call' },
  lucia: { ...none, state: 'online' },
  jonas: { ...none, state: 'busy', emoji: '📅', text: 'In a meeting' },
  priya: { ...none, state: 'online', mobile: true },
  samir: { ...none, emoji: '🌴', text: 'Back on Monday' },
  greta: { ...none, state: 'unknown' },
}

const plain: Channel = {
  id: '',
  kind: 'public',
  name: '',
  topic: '',
  purpose: '',
  archived: false,
  posting: 'members',
  history: 'all',
  creator: 'ines',
  created: Date.UTC(2026, 2, 3, 9),
  role: 'owner',
  members: 10,
  people: [],
  unread: 0,
  mentions: 0,
  muted: false,
  level: 'default',
  draft: false,
}

const lively: readonly Channel[] = [
  { ...plain, id: 'announcements', name: 'announcements', topic: 'What everybody should know', members: 128 },
  { ...plain, id: 'design', name: 'design', topic: 'Type, colour, motion and the long argument about corner radii', members: 14, unread: 4, mentions: 1, purpose: 'How Plenum looks and moves, and why. Bring screenshots: of what is wrong as well as of what is right.' },
  { ...plain, id: 'field-notes', name: 'field-notes', topic: 'What we saw at customers', members: 37, unread: 12 },
  { ...plain, id: 'launch', name: 'launch-2027', kind: 'private', topic: 'Everything up to the first of March', members: 9, draft: true },
  { ...plain, id: 'infra', name: 'infrastructure', topic: 'Deploys, alarms, post-mortems', members: 21 },
  { ...plain, id: 'random', name: 'random', topic: '', members: 126, unread: 48, muted: true },
  { ...plain, role: 'none', id: 'd-tomas', kind: 'direct', people: ['ines', 'tomas'], members: 2, unread: 2, mentions: 2 },
  { ...plain, role: 'none', id: 'd-amara', kind: 'direct', people: ['ines', 'amara'], members: 2 },
  { ...plain, role: 'none', id: 'd-wei', kind: 'direct', people: ['ines', 'wei'], members: 2 },
  { ...plain, role: 'none', id: 'g-research', kind: 'group', people: ['ines', 'amara', 'priya', 'lucia'], members: 4 },
  { ...plain, role: 'none', id: 'd-samir', kind: 'direct', people: ['ines', 'samir'], members: 2 },
  { ...plain, role: 'none', id: 'd-greta', kind: 'direct', people: ['ines', 'greta'], members: 2 },
]

const permissions = ['chat.post', 'chat.create_channel', 'chat.manage_channels', 'identity.directory', 'identity.invite', 'identity.manage', 'identity.own']

function refuse(reason: string, message: string, field = ''): Promise<never> {
  const refusal: Refusal = { reason, message, field, retryAfterMs: 0 }
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the SDK's errors, without being one
  return Promise.reject(refusal)
}

const said: Said = { channel: 'd-tomas', offset: 900, root: 0, shown: true, author: 'tomas', timeMs: 0, text: '', gone: false, names: false, everybody: false, following: false }

/** arrive tells of three messages, one by one. */
function arrive({ tells, told }: Listening, on: boolean): () => void {
  const now = Date.now()
  const all: readonly Said[] = [
    { ...said, timeMs: now + 1, text: 'Do you have **five minutes** before the call? I would like to show you the numbers first, they are better than we thought.' },
    { ...said, channel: 'infra', author: 'wei', offset: 901, timeMs: now + 1, names: true, text: '@ines the second cluster is yours' },
    { ...said, channel: 'design', author: 'lucia', offset: 902, root: 1, shown: false, following: true, timeMs: now + 1, text: 'Now it is 3 % darker.' },
  ]
  if (on) void tells().then(() => all.forEach((one) => told({ said: [one], more: 0, now })))
  return () => undefined
}

/** sampleModel answers at once. Wrong are: the password "wrong", the handle "taken", the link "used". */
export function sampleModel(variant: Variant = {}): Model {
  const workspace = { id: 'w', slug: 'meridian', name: 'Meridian Labs' }
  const signedIn: Stage = { kind: 'signed-in', account: { me: 'ines', workspace, permissions: new Set(permissions) } }
  const stages: Readonly<Record<Stage['kind'], Stage>> = {
    starting: { kind: 'starting' },
    'signed-out': { kind: 'signed-out' },
    expired: { kind: 'expired', workspace, handle: 'ines' },
    'signed-in': signedIn,
  }
  const [stage, setStage] = createSignal<Stage>(stages[variant.stage ?? 'signed-in'])
  const [channels, setChannels] = createSignal<readonly Channel[]>(variant.empty ? [] : lively)
  const [connection, setConnection] = createSignal<Connection>(variant.connection ?? { kind: 'online' })
  const [sending] = createSignal(variant.sending ?? 0)
  const [all, setAll] = createSignal<readonly Person[]>(variant.empty ? people.slice(0, 1) : people)
  const [mine, setMine] = createSignal<Presence>(presence['ines'] ?? none)
  const [told, setTold] = createSignal<Status>({ state: variant.paused ? 'silent' : 'automatic', emoji: mine().emoji, text: mine().text, until: undefined })
  const [quiet, setQuiet] = createSignal<Quiet>(variant.paused ? { on: true, until: new Date().setHours(23, 30, 0, 0) } : { on: false })
  const change = (id: string, to: Partial<Channel>) => setChannels(channels().map((channel) => (channel.id === id ? { ...channel, ...to } : channel)))
  const enter = async () => {
    setStage(signedIn)
    return Promise.resolve()
  }
  const now = Date.now()
  const devices: readonly Device[] = [
    { id: '1', name: 'Firefox on Linux', agent: 'plenum-web/0.1', seen: now, current: true },
    { id: '2', name: 'Plenum on iPhone', agent: 'plenum-ios/1.2', seen: now - 47 * minute, current: false },
    { id: '3', name: 'Chrome on Windows', agent: 'plenum-web/0.1', seen: now - 9 * 24 * 60 * minute, current: false },
  ]
  const invitations: readonly Invitation[] = [
    { id: '1', role: 'member', note: 'Mirela, new in support', by: 'ines', expires: now + 6 * 24 * 60 * minute, state: 'open' },
    { id: '2', role: 'guest', note: 'The agency', by: 'amara', expires: now + 2 * 24 * 60 * minute, state: 'open' },
    { id: '3', role: 'member', note: 'Noah', by: 'ines', expires: now - 24 * 60 * minute, state: 'used' },
  ]
  const audit: readonly AuditEntry[] = [
    { seq: 214, time: now - 4 * minute, action: 'invitation.created', actor: names.ines, target: '', targetId: '1', detail: { role: 'member' } },
    { seq: 213, time: now - 62 * minute, action: 'role.changed', actor: names.ines, target: names.amara, targetId: 'amara', detail: { from: 'member', to: 'admin' } },
    { seq: 212, time: now - 190 * minute, action: 'sign_in.failed', actor: '', target: names.samir, targetId: 'samir', detail: {} },
  ]
  const once = <T>(items: readonly T[]): Promise<Page<T>> => Promise.resolve({ items, next: '' })

  return {
    access: {
      stage,
      lastWorkspace: variant.stage === 'signed-out' ? '' : workspace.slug,
      describe: (secret): Promise<Link> => {
        if (secret === 'used') return refuse('identity.LINK', 'unknown, used, expired or revoked')
        if (secret.startsWith('join')) {
          return Promise.resolve({ kind: 'join', workspace: workspace.name, slug: workspace.slug, invitedBy: names.ines, role: 'member', expires: now + 6 * 24 * 60 * minute })
        }
        if (secret.startsWith('reset')) return Promise.resolve({ kind: 'reset', workspace: workspace.name, slug: workspace.slug, handle: 'ines', expires: now + 60 * minute })
        return Promise.resolve({ kind: 'setup' })
      },
      signIn: (_slug, _handle, password) => (password === 'wrong' ? refuse('identity.SIGN_IN', 'not these') : enter()),
      setUp: enter,
      join: (_secret, person) => (person.handle === 'taken' ? refuse('identity.HANDLE_TAKEN', 'taken', 'handle') : enter()),
      reset: enter,
      signOut: () => {
        setStage(stages['signed-out'])
        return Promise.resolve()
      },
    },
    connection,
    sending,
    storage: () => variant.storage ?? 'kept',
    reconnect: () => setConnection({ kind: 'online' }),
    channels,
    ready: () => true,
    channel: (id) => channels().find((channel) => channel.id === id),
    people: all,
    person: (id) => all().find((person) => person.id === id),
    groups: () => (variant.empty ? [] : groups),
    presence: (id) => (id === 'ines' ? mine() : (presence[id] ?? none)),
    createChannel: ({ name, topic, private: hidden }) => {
      if (channels().some((channel) => channel.name === name)) return refuse('chat.NAME_TAKEN', 'There is a channel of this name', 'name')
      setChannels([{ ...plain, id: name, name, topic, kind: hidden ? 'private' : 'public', members: 1 }, ...channels()])
      return Promise.resolve(name)
    },
    openDirect: (who) => {
      const wanted = ['ines', ...who]
      const known = channels().find((channel) => channel.people.length === wanted.length && wanted.every((id) => channel.people.includes(id)))
      if (known) return Promise.resolve(known.id)
      const id = `d-${who.join('-')}`
      setChannels([...channels(), { ...plain, id, kind: who.length > 1 ? 'group' : 'direct', people: wanted, members: wanted.length }])
      return Promise.resolve(id)
    },
    browse: (words, _page, archived) =>
      once(
        [...channels().filter((channel) => channel.kind === 'public'), { ...plain, id: 'books', name: 'books', topic: 'One a month, more or less', members: 23 }]
          .filter((channel) => words.toLowerCase().split(' ').every((word) => `-${channel.name}`.includes(`-${word}`)))
          .filter((channel) => channel.archived === archived)
          .map(({ id, name, topic, members }) => ({ id, name, topic, members, joined: id !== 'books', archived })),
      ),
    preview: (id) => Promise.resolve({ name: id, topic: 'One a month', purpose: 'What we read, and what we think of it', members: 2, archived: false, people: ['wei', 'noah'], said: [{ offset: 1, author: 'wei', timeMs: Date.now() - 3_600_000, text: 'Chapter four for **Thursday**, then?', mentions: undefined }] }),
    join: (id) => {
      setChannels([...channels(), { ...plain, id, name: id }])
      return Promise.resolve()
    },
    leave: (id) => {
      setChannels(channels().filter((channel) => channel.id !== id))
      return Promise.resolve()
    },
    setNotifications: (id, to) => {
      change(id, to)
      return Promise.resolve()
    },
    markRead: (id) => change(id, { unread: 0, mentions: 0 }),
    markAllRead: () => {
      const before = channels()
      setChannels(before.map((channel) => ({ ...channel, unread: 0, mentions: 0 })))
      return () => setChannels(before)
    },
    inbox: sampleInbox(variant.empty ?? false),
    search: sampleSearch,
    status: told,
    quiet,
    arrivals: () => ({ now: () => Date.now(), listen: (listening) => arrive(listening, variant.arriving ?? false), read: () => false }),
    profile: {
      update: ({ name, title }) => {
        setAll(all().map((person) => (person.id === 'ines' ? { ...person, name, title } : person)))
        return Promise.resolve()
      },
      setStatus: (status) => {
        const { state, emoji, text, until } = status
        setTold(status)
        setQuiet(state === 'silent' ? { on: true, until } : { on: false })
        setMine(state === 'invisible' ? none : { ...none, state: state === 'automatic' ? 'online' : state, emoji, text })
        return Promise.resolve()
      },
      status: () => Promise.resolve(told()),
      changePassword: (old) => (old === 'wrong' ? refuse('identity.PASSWORD', 'This is not the password that you have') : Promise.resolve()),
      devices: () => Promise.resolve(devices),
      revoke: () => Promise.resolve(),
    },
    administration: {
      invite: (_role, note) => Promise.resolve(`https://plenum.example/#join=${note.length}kQv3xTzB2mN8`),
      invitations: () => once(invitations),
      withdraw: () => Promise.resolve(),
      setRole: (id, role: Role) => {
        setAll(all().map((person) => (person.id === id ? { ...person, role } : person)))
        return Promise.resolve()
      },
      setActive: (id, active) => {
        setAll(all().map((person) => (person.id === id ? { ...person, deactivated: !active } : person)))
        return Promise.resolve()
      },
      resetPassword: () => Promise.resolve('https://plenum.example/#reset=kQv3xTzB2mN8'),
      audit: () => once(audit),
    },
  }
}
