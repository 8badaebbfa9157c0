import { Document, parse, unlimited, type Delta } from '../ot/index.ts'
import { mutationOf, State, type Sent } from './state.ts'
import { ServerError } from '../errors.ts'

/**
 * Entry is one input of the state as it stands in the journal: played again in their order, they make the same state. One field is set. Deltas are
 * JSON, numbers that need 64 bits are decimal.
 */
export interface Entry {
  /** All that counts; what stands before it is past. */
  state?: Kept
  /** Of what is shown. */
  edit?: string
  sent?: KeptSent
  events?: Told[]
  answer?: Answer
  refused?: Refusal
  /** What is under way waits again. */
  back?: true
  forget?: number
}

/** Kept is a state. */
export interface Kept {
  clientId: string
  document: string
  epoch: number
  version: number
  content: string
  /** Its rest is the buffer. */
  sent?: KeptSent
  buffer: string
  refused: KeptRefused[]
  lastRefused: number
}

/** KeptSent is what went under way, and what stayed behind. */
export interface KeptSent {
  seq: number
  since: number
  epoch: number
  base: number
  request: string
  rest: string
  /** Of a state: transformed to follow its version, and the answer if it came. */
  delta?: string
  answer?: Answer
}

export interface Told {
  version: number
  mutation: string
  edit: string
}

export interface Answer {
  seq: number
  epoch: number
  version: number
}

export interface Refusal {
  code: number
  reason: string
  message: string
  field: string
  all: boolean
  at: number
}

export interface KeptRefused extends Refusal {
  id: number
  epoch: number
  version: number
  delta: string
  mutation: string
}

export const refusalOf = (e: ServerError, all: boolean, at: number): Refusal => ({ code: e.code, reason: e.reason, message: e.message, field: e.field, all, at })

export const causeOf = (r: Refusal) => new ServerError(r.code, r.reason, r.message, r.field)

/** deltaOf reads a delta that was accepted once. */
export const deltaOf = (json: string): Delta => parse(json, unlimited)

/** encode writes inputs that belong together. */
export const encode = (entries: readonly Entry[]): string => JSON.stringify(entries)

/** DamagedError says that what the journal holds can't be read. */
export class DamagedError extends Error {
  override readonly name = 'DamagedError'

  constructor(document: string, cause: unknown) {
    super(`what was kept here of document ${document} is damaged: erase it, and read the document anew`, { cause })
  }
}

/** decode reads what encode wrote, and holds it to its form. */
export function decode(text: string): Entry[] {
  const entries: unknown = JSON.parse(text)
  if (!Array.isArray(entries)) throw new TypeError('no list of inputs')
  return entries.map((e: unknown) => {
    if (!fits(e, entry)) throw new TypeError('an input of another form')
    return e as Entry
  })
}

/** A form says of what type each field of an object is; one that may be missing ends with "?". */
type Form = string | readonly [Form] | { readonly [field: string]: Form }

const answer: Form = { seq: 'number', epoch: 'number', version: 'number' }
const refusal = { code: 'number', reason: 'string', message: 'string', field: 'string', all: 'boolean', at: 'number' }
const sent: Form = { seq: 'number', since: 'number', epoch: 'number', base: 'number', request: 'string', rest: 'string', 'delta?': 'string', 'answer?': answer }
const refused: Form = { ...refusal, id: 'number', epoch: 'number', version: 'number', delta: 'string', mutation: 'string' }
const kept: Form = {
  clientId: 'string',
  document: 'string',
  epoch: 'number',
  version: 'number',
  content: 'string',
  'sent?': sent,
  buffer: 'string',
  refused: [refused],
  lastRefused: 'number',
}
const entry: Form = {
  'state?': kept,
  'edit?': 'string',
  'sent?': sent,
  'events?': [{ version: 'number', mutation: 'string', edit: 'string' }],
  'answer?': answer,
  'refused?': refusal,
  'back?': 'boolean',
  'forget?': 'number',
}

function fits(value: unknown, form: Form): boolean {
  if (typeof form === 'string') return typeof value === form
  if (isList(form)) return Array.isArray(value) && value.every((v) => fits(v, form[0]))
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(form).every(([name, f]) => {
    const field: unknown = Reflect.get(value, name.replace('?', ''))
    return (name.endsWith('?') && field === undefined) || fits(field, f)
  })
}

const isList = (form: readonly [Form] | { readonly [field: string]: Form }): form is readonly [Form] => Array.isArray(form)

/** sentOf is what was kept of an edit under way. */
export function sentOf(k: KeptSent, clientId: string): Sent {
  const request = deltaOf(k.request)
  return {
    seq: k.seq,
    mutation: mutationOf(clientId, k.seq),
    since: k.since,
    epoch: k.epoch,
    base: k.base,
    request,
    delta: k.delta === undefined ? request : deltaOf(k.delta),
    answered: k.answer?.version ?? 0,
    answeredEpoch: k.answer?.epoch ?? 0,
  }
}

/** stateOf is a state that was kept. */
export function stateOf(k: Kept): State {
  const s = new State(Document.of(deltaOf(k.content)), k.epoch, k.version)
  s.buffer = deltaOf(k.buffer)
  if (k.sent !== undefined) {
    s.sent = sentOf(k.sent, k.clientId)
    s.shown = s.shown.apply(s.sent.delta)
  }
  s.shown = s.shown.apply(s.buffer)
  s.lastRefused = k.lastRefused
  s.refused = k.refused.map((r) => ({
    id: r.id,
    epoch: r.epoch,
    version: r.version,
    delta: deltaOf(r.delta),
    cause: causeOf(r),
    at: r.at,
    mutation: BigInt(r.mutation),
  }))
  return s
}

/** keptOf is a state for the journal. */
export function keptOf(s: State, clientId: string, document: string): Kept {
  const kept: Kept = {
    clientId,
    document,
    epoch: s.epoch,
    version: s.version,
    content: s.content.json(),
    buffer: s.buffer.json(),
    refused: s.refused.map((r) => ({
      ...refusalOf(r.cause, false, r.at),
      id: r.id,
      epoch: r.epoch,
      version: r.version,
      delta: r.delta.json(),
      mutation: String(r.mutation),
    })),
    lastRefused: s.lastRefused,
  }
  const q = s.sent
  if (q === null) return kept
  kept.sent = { seq: q.seq, since: q.since, epoch: q.epoch, base: q.base, request: q.request.json(), rest: '{"ops":[]}', delta: q.delta.json() }
  if (q.answered !== 0) kept.sent.answer = { seq: q.seq, epoch: q.answeredEpoch, version: q.answered }
  return kept
}
