import { Builder, Document, Embed, parse, parseAttributes, unlimited, type Attributes, type Delta } from '../src/ot/index.ts'
import { Scanner } from '../src/ot/scan.ts'

/** Random gives the same numbers for the same seed: Marsaglia's xorshift, with 32 bits. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1 + 0x7f4a7c15) | 0 || 1
    for (let i = 0; i < 8; i++) this.below(2)
  }

  /** below is from 0 to n-1. */
  below(n: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) % n
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}

/** Mix says what random documents and changes are made of. */
export interface Mix {
  readonly unicode: boolean
  readonly attributes: boolean
  readonly nested: boolean
  readonly nulls: boolean
  readonly embeds: boolean
  readonly notes: boolean
}

export const anyMix = (r: Random): Mix => ({
  unicode: r.chance(66),
  attributes: r.chance(66),
  nested: r.chance(50),
  nulls: r.chance(50),
  embeds: r.chance(50),
  notes: r.chance(25),
})

const plain = ['a', 'b', 'ab', 'xyz', 'the', ' ', ' and ', '\n', 'A', '0', '7', '.', ', ', '\t']
const unicode = ['😀', '😁', '👍🏽', 'é', '日本', 'ж', '\0', '\u2028', '𝒜𝒷', '👩‍👩‍👧', '\r\n', '\ufffd', '\ue000', '\u0001', '"\\']
const names = ['bold', 'color', 'link', '10', '9', '', 'é', '\ue000', '😀', '-1', '1e3', 'prototype']
const values = ['true', '"red"', '1', '0', '""', '"a\\"b"', 'false', '1.5', '1e21', '-0.000001', '"😀"']
const nested = ['{"a":1}', '{"b":null,"10":1,"9":2}', '{"a":1,"b":[1,{"c":2}]}', '[]', '{}', '[1,null]']

export function textOf(m: Mix, r: Random): string {
  let text = ''
  do text += m.unicode && r.chance(33) ? r.one(unicode) : r.one(plain)
  while (r.chance(60))
  return text
}

function formats(m: Mix, r: Random, change: boolean): Attributes | null {
  if (!m.attributes || r.chance(50)) return null
  const set = new Map<string, string>()
  for (let n = 1 + r.below(3); n > 0; n--) {
    const kind = r.below(3)
    set.set(r.one(names), kind === 0 && change && m.nulls ? 'null' : kind === 1 && m.nested ? r.one(nested) : r.one(values))
  }
  return parseAttributes(`{${[...set].map(([k, v]) => `${JSON.stringify(k)}:${v}`).join(',')}}`)
}

const valueOf = (json: string) => new Scanner(json).value(20)

function embedOf(m: Mix, r: Random): Embed {
  if (m.notes && (!m.embeds || r.chance(50))) {
    return new Embed([{ key: 'note', value: documentOf({ ...m, notes: false, embeds: false }, r, r.below(4)).json() }])
  }
  return new Embed([{ key: r.one(['image', 'rule', '7']), value: valueOf(m.nested && r.chance(30) ? r.one(nested) : r.one(values)) }])
}

/** documentOf is a random document of so many inserts, some of which join. */
export function documentOf(m: Mix, r: Random, inserts: number): Delta {
  const b = new Builder()
  for (; inserts > 0; inserts--) {
    if ((m.embeds || m.notes) && r.chance(25)) b.insertEmbed(embedOf(m, r), formats(m, r, false))
    else b.insert(textOf(m, r), formats(m, r, false))
  }
  return b.delta()
}

/** changeOf is a random change that can be applied to a document. */
export function changeOf(m: Mix, r: Random, document: Delta, edits: number): Delta {
  const b = new Builder()
  const d = Document.of(document)
  let at = 0
  const some = () => {
    if (at >= d.length) return 0
    let end = Math.min(d.length, at + 1 + r.below(8))
    if (d.cuts(end)) end++
    const n = end - at
    at = end
    return n
  }
  for (; edits > 0; edits--) {
    switch (r.below(6)) {
      case 0:
        b.insert(textOf(m, r), formats(m, r, false))
        break
      case 1:
        if (m.embeds || m.notes) b.insertEmbed(embedOf(m, r), formats(m, r, false))
        break
      case 2:
        b.delete(some())
        break
      case 5: {
        const embed = d.slice(at, d.cuts(at + 1) ? at + 2 : at + 1).ops[0]?.embed
        if (embed?.kind === 'note') {
          const change = changeOf({ ...m, notes: false, embeds: false }, r, parse(embed.data, unlimited), 1 + r.below(3))
          b.retainEmbed(new Embed([{ key: 'note', value: change.json() }]), formats(m, r, true))
          at++
          break
        }
        b.retain(some())
        break
      }
      default:
        b.retain(some(), formats(m, r, true))
    }
  }
  return b.delta()
}
