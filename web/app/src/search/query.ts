/** What somebody looks for, as they type it: words, and from: in: before: after: on:. */
import type { Query } from '@plenum/sdk/chat/cache'
import { account, channelName, counterparts } from '../model/context.ts'
import type { Model } from '../model/model.ts'

/** Wanted is what was typed, taken apart. */
export interface Wanted {
  readonly text: string
  /** A handle, without "@"; "me" is oneself. */
  readonly from?: string
  /** A channel's name without "#", or a handle with "@": the conversation with somebody. */
  readonly in?: string
  /** Days, as in "2026-05-04"; "today" and "yesterday". */
  readonly before?: string
  readonly after?: string
  readonly on?: string
}

/** Problem is what of a query nothing can be found by. */
export interface Problem {
  readonly kind: 'person' | 'channel' | 'day'
  readonly said: string
}

const filter = /(?:^|\s)(from|in|before|after|on):(\S+)/gi

/** parse takes apart what was typed. Of a filter that is there twice the last one counts. */
export function parse(typed: string): Wanted {
  const filters: Record<string, string> = {}
  for (const [, name, value] of typed.matchAll(filter)) if (name !== undefined && value !== undefined) filters[name.toLowerCase()] = value
  return { text: typed.replace(filter, ' ').trim(), ...filters }
}

/** resolve makes a query of it by what the model knows; undefined: there is nothing to look for yet. */
export function resolve(wanted: Wanted, model: Model, now: number): Query | Problem | undefined {
  const query: { -readonly [K in keyof Query]: Query[K] } = { text: wanted.text }
  if (wanted.from !== undefined) {
    const handle = wanted.from.replace(/^@/, '').toLowerCase()
    const person = handle === 'me' ? account(model)?.me : model.people().find((one) => one.handle === handle)?.id
    if (person === undefined) return { kind: 'person', said: wanted.from }
    query.author = person
  }
  if (wanted.in !== undefined) {
    const channel = channelOf(wanted.in, model)
    if (channel === undefined) return { kind: 'channel', said: wanted.in }
    query.channel = channel
  }
  for (const [name, said] of [['before', wanted.before], ['after', wanted.after], ['on', wanted.on]] as const) {
    if (said === undefined) continue
    const day = dayOf(said, now)
    if (day === undefined) return { kind: 'day', said }
    const next = new Date(day).setDate(new Date(day).getDate() + 1)
    if (name === 'before') query.beforeMs = Math.min(day, query.beforeMs ?? Infinity)
    else query.fromMs = Math.max(name === 'on' ? day : next, query.fromMs ?? 0)
    if (name === 'on') query.beforeMs = Math.min(next, query.beforeMs ?? Infinity)
  }
  return /[\p{L}\p{N}]/u.test(query.text) || query.author !== undefined || query.channel !== undefined ? query : undefined
}

function channelOf(said: string, model: Model): string | undefined {
  const name = said.toLowerCase().replace(/^#/, '')
  if (!name.startsWith('@')) return model.channels().find((channel) => channelName(model, channel).toLowerCase() === name)?.id
  const person = model.people().find((one) => one.handle === name.slice(1))?.id
  return model.channels().find((channel) => channel.kind === 'direct' && counterparts(model, channel)[0] === person)?.id
}

/** dayOf is when a day begins where the reader is, Unix ms; undefined: it is none. */
function dayOf(said: string, now: number): number | undefined {
  const today = new Date(now).setHours(0, 0, 0, 0)
  if (/^today$/i.test(said)) return today
  if (/^yesterday$/i.test(said)) return new Date(today).setDate(new Date(today).getDate() - 1)
  const [, year, month, date] = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(said) ?? []
  const day = new Date(Number(year), Number(month) - 1, Number(date))
  return day.getMonth() === Number(month) - 1 && day.getDate() === Number(date) ? day.getTime() : undefined // no 31st of February
}
