import { sameAttributes, type Attributes } from './attributes.ts'
import { sameEmbed, type Embed } from './embed.ts'

/** Action is what an operation does: go on over what is there, perhaps changing it; insert text or an embed; delete. */
export type Action = 'retain' | 'insert' | 'delete'

/** Op is one operation of a Delta. It is immutable. */
export interface Op {
  readonly action: Action
  /** Length in UTF-16 code units. Invariant: positive; of text its length, of an embed 1. */
  readonly n: number
  /** Text of an insert. Invariant: without lone surrogates, '' if there is an embed. */
  readonly text: string
  /** The embed that is inserted, or the change of one that is retained. */
  readonly embed: Embed | null
  /** What is set, with nulls for what is removed. Invariant: none on a delete. */
  readonly attrs: Attributes | null
}

/** make makes every operation, so that all have one shape, which engines make quick. */
export const make = (action: Action, n: number, text: string, embed: Embed | null, attrs: Attributes | null): Op => ({
  action,
  n,
  text,
  embed,
  attrs,
})

export const insertOf = (text: string, attrs: Attributes | null): Op => make('insert', text.length, text, null, attrs)
export const embedOf = (embed: Embed, attrs: Attributes | null): Op => make('insert', 1, '', embed, attrs)
export const retainOf = (n: number, attrs: Attributes | null): Op => make('retain', n, '', null, attrs)
export const changeOf = (embed: Embed, attrs: Attributes | null): Op => make('retain', 1, '', embed, attrs)
export const deleteOf = (n: number): Op => make('delete', n, '', null, null)

/** withAttributes is an operation with others in place of its attributes. */
export const withAttributes = (op: Op, attrs: Attributes | null): Op => (op.attrs === attrs ? op : make(op.action, op.n, op.text, op.embed, attrs))

/** withEmbed is an operation with another embed. */
export const withEmbed = (op: Op, embed: Embed): Op => make(op.action, op.n, '', embed, op.attrs)

/** shortened is a part of a length. */
export const shortened = (op: Op, n: number): Op => make(op.action, n, '', op.embed, op.attrs)

/** isBare reports a retain that changes nothing. */
export const isBare = (op: Op) => op.action === 'retain' && op.embed === null && op.attrs === null

export function sameOp(a: Op, b: Op): boolean {
  return a === b || (a.action === b.action && a.n === b.n && a.text === b.text && sameEmbed(a.embed, b.embed) && sameAttributes(a.attrs, b.attrs))
}

/** joined is two operations that follow each other as one, or null where they are two in normal form. */
export function joined(a: Op, b: Op): Op | null {
  if (a.action !== b.action || a.embed !== null || b.embed !== null || !sameAttributes(a.attrs, b.attrs)) return null
  return make(a.action, a.n + b.n, a.text + b.text, null, a.attrs)
}

/** writeOp is an operation as canonical JSON. */
export function writeOp(op: Op): string {
  const value = op.embed !== null ? op.embed.json : op.action === 'insert' ? JSON.stringify(op.text) : String(op.n)
  return op.attrs === null ? `{"${op.action}":${value}}` : `{"attributes":${op.attrs.json},"${op.action}":${value}}`
}
