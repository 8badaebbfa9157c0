import { bytesOf } from './utf16.ts'

/** Member is one key of an object, with its value in canonical JSON: values are equal if their texts are. */
export interface Member {
  readonly key: string
  readonly value: string
}

/**
 * inherited are the names of Object.prototype in ECMAScript 2026, whichever of them this one has. quill-delta asks whether an object has a name by
 * asking for its value, and so loses attributes of these; no name of an attribute may be one, on whichever level.
 */
export const inherited: ReadonlySet<string> = new Set([
  'constructor',
  '__defineGetter__',
  '__defineSetter__',
  'hasOwnProperty',
  '__lookupGetter__',
  '__lookupSetter__',
  'isPrototypeOf',
  'propertyIsEnumerable',
  'toString',
  'valueOf',
  '__proto__',
  'toLocaleString',
])

/** writeObject writes members that are sorted, as canonical JSON. */
export function writeObject(members: readonly Member[]): string {
  let out = '{'
  for (const m of members) out += `${out === '{' ? '' : ','}${JSON.stringify(m.key)}:${m.value}`
  return out + '}'
}

/**
 * Attributes are the formats of an operation: names with JSON values. They are immutable; null is the empty one.
 *
 * The algebra looks at the first level only, as quill-delta does: a nested object is replaced as a whole.
 *
 * Invariant: list is not empty, sorted by code units, and has no key twice; json is its canonical form.
 */
export class Attributes {
  readonly list: readonly Member[]
  readonly json: string
  #bytes = -1

  private constructor(list: readonly Member[]) {
    this.list = list
    this.json = writeObject(list)
  }

  /** of makes attributes of a sorted list, which it keeps. */
  static of(list: readonly Member[]): Attributes | null {
    return list.length === 0 ? null : new Attributes(list)
  }

  /** bytes is what they count against a limit. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = bytesOf(this.json)
    return this.#bytes
  }

  /** get is the value of a name as canonical JSON, or undefined; null is a value. */
  get(name: string): string | undefined {
    return this.list.find((m) => m.key === name)?.value
  }
}

/** sizeOf is what attributes count against a limit, none nothing. */
export const sizeOf = (a: Attributes | null) => (a === null ? 0 : a.bytes)

/** sameAttributes compares; nested values too. */
export function sameAttributes(a: Attributes | null, b: Attributes | null): boolean {
  return a === b || (a !== null && b !== null && a.json === b.json)
}

/** merge goes through the names of both in order. choose sees the value of each side, or undefined, and says what is to stand, undefined: nothing. */
function merge(
  a: Attributes | null,
  b: Attributes | null,
  choose: (a: string | undefined, b: string | undefined) => string | undefined,
): Attributes | null {
  const x = a?.list ?? []
  const y = b?.list ?? []
  const out: Member[] = []
  for (let i = 0, j = 0; i < x.length || j < y.length; ) {
    const mine = x[i]
    const theirs = y[j]
    const key = mine !== undefined && (theirs === undefined || mine.key <= theirs.key) ? mine.key : (theirs?.key ?? '')
    const inA = mine?.key === key
    const inB = theirs?.key === key
    const value = choose(inA ? mine.value : undefined, inB ? theirs.value : undefined)
    if (value !== undefined) out.push({ key, value })
    if (inA) i++
    if (inB) j++
  }
  return Attributes.of(out)
}

/**
 * composeAttributes is a, then b: b's values replace a's. A null of b removes; it is kept where it has to remove from what is composed later
 * (keepNull: over a retain), and vanishes where the text itself is at hand. A null of a stays, as in quill-delta.
 */
export function composeAttributes(a: Attributes | null, b: Attributes | null, keepNull: boolean): Attributes | null {
  if (b === null) return a
  if (a === null && (keepNull || !b.list.some((m) => m.value === 'null'))) return b
  return merge(a, b, (v, w) => (w === undefined ? v : keepNull || w !== 'null' ? w : undefined))
}

/** diffAttributes is what makes b of a: b's values where they differ, null where b has none. */
export function diffAttributes(a: Attributes | null, b: Attributes | null): Attributes | null {
  if (sameAttributes(a, b)) return null
  return merge(a, b, (v, w) => (v === w ? undefined : (w ?? 'null')))
}

/**
 * invertAttributes is what takes a back, where it was applied to base. A nested object counts as changed even if it was set to an equal one, as
 * in quill-delta, which compares them by identity.
 */
export function invertAttributes(a: Attributes, base: Attributes | null): Attributes | null {
  return merge(a, base, (v, w) => (v !== undefined && (v !== w || v.startsWith('{') || v.startsWith('[')) ? (w ?? 'null') : undefined))
}

/** transformAttributes is b as it is to be applied after a. With priority, a's values stay where both have one. */
export function transformAttributes(a: Attributes | null, b: Attributes | null, priority: boolean): Attributes | null {
  if (a === null || b === null || !priority) return b
  return merge(a, b, (v, w) => (v === undefined ? w : undefined))
}
