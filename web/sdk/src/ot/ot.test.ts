import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Random } from '../../test/mix.ts'
import { Attributes, inherited } from './attributes.ts'
import { Builder } from './builder.ts'
import { check, type Delta } from './delta.ts'
import { Document } from './document.ts'
import { Kind, noOp, OtError } from './errors.ts'
import { defaultLimits, maxLength, unlimited } from './limits.ts'
import { parse, parseAttributes } from './parse.ts'
import { hex, sha256 } from './sha256.ts'
import { cuts, edited, maxKids, maxRuns, maxUnits, planted, walk, type Node } from './tree.ts'
import { bytesOf } from './utf16.ts'

const failure = (f: () => unknown): [Kind, number] | null => {
  try {
    f()
  } catch (e) {
    if (e instanceof OtError) return [e.kind, e.op]
    throw e
  }
  return null
}

test('a hash is SHA-256', () => {
  const r = new Random(1)
  for (const text of ['', 'abc', 'é😀', ...Array.from({ length: 200 }, (_, n) => 'x'.repeat(n)), 'ж'.repeat(100_000), String(r.below(9))]) {
    expect(hex(sha256(text))).toBe(createHash('sha256').update(text).digest('hex'))
  }
})

test('bytes are those of UTF-8', () => {
  for (const text of ['', 'abc', 'éж', '日本\ufffd\ue000', '😀x👍🏽', '\0\u007f\u0080\u07ff\u0800']) expect(bytesOf(text)).toBe(Buffer.byteLength(text))
})

describe('what is parsed', () => {
  test('has no lone surrogates, which JSON of Go can not have', () => {
    for (const text of ['[{"insert":"\ud83d"}]', '[{"insert":"a\ude00"}]', '[{"insert":"\ud83d\\ude00"}]', '[{"insert":"\\ud83d\ude00"}]', '[{"insert":{"\ud83d":1}}]']) {
      expect(failure(() => parse(text)), text).toEqual([Kind.BadText, 0])
    }
    expect(failure(() => parse('[{"insert":"\ud83d\ude00"}]'))).toBeNull()
  })

  test('has no attributes that quill-delta loses, but where it was stored', () => {
    expect(Object.getOwnPropertyNames(Object.prototype).filter((name) => !inherited.has(name))).toEqual([])
    for (const name of inherited) {
      for (const attributes of [`{"${name}":1}`, `{"a":[{"${name}":null}]}`]) {
        const text = `[{"delete":1},{"insert":"x","attributes":${attributes}}]`
        expect(failure(() => parse(text)), text).toEqual([Kind.Malformed, 1])
        expect(failure(() => parseAttributes(attributes)), attributes).toEqual([Kind.Malformed, noOp])
        if (name === '__proto__') {
          expect(failure(() => parse(text, unlimited)), text).toEqual([Kind.Malformed, 1])
          continue
        }
        const stored = parse(text, unlimited)
        expect(stored.json()).toBe(`{"ops":[{"delete":1},{"attributes":${attributes},"insert":"x"}]}`)
        expect(failure(() => { check(stored, defaultLimits) }), text).toEqual([Kind.Malformed, 1])
        expect(failure(() => { check(stored, unlimited) })).toBeNull()
      }
      for (const embed of [`{"${name}":1}`, `{"a":{"${name}":1}}`]) {
        expect(failure(() => parse(`[{"insert":${embed}}]`))).toEqual(name === '__proto__' ? [Kind.Malformed, 0] : null)
      }
    }
  })

  test('is within the limits of the service', () => {
    const l = defaultLimits
    const long = (n: number) => 'x'.repeat(n)
    for (const [text, fits] of [
      [`[{"insert":"${long(l.operationBytes - 15)}"}]`, true],
      [`[{"insert":"${long(l.operationBytes - 14)}"}]`, false],
      [`[{"insert":"${'é'.repeat(l.operationBytes / 2)}"}]`, false],
      [`[{"retain":1,"attributes":{"a":"${long(l.attributeBytes - 8)}"}}]`, true],
      [`[{"retain":1,"attributes":{"a":"${long(l.attributeBytes - 7)}"}}]`, false],
      [`[{"insert":{"a":"${long(l.embedBytes - 8)}"}}]`, true],
      [`[{"insert":{"a":"${long(l.embedBytes - 7)}"}}]`, false],
      [`[${'{"delete":1},'.repeat(l.ops - 1)}{"delete":1}]`, true],
      [`[${'{"delete":1},'.repeat(l.ops)}{"delete":1}]`, false],
    ] as const) {
      expect(failure(() => parse(text))?.[0] ?? null, text.slice(0, 60)).toBe(fits ? null : Kind.TooLarge)
    }
    expect(failure(() => parse(`[{"insert":{"a":${'['.repeat(500_000)}`))).toEqual([Kind.TooDeep, 0])
    expect(failure(() => parse(`[{"insert":{"a":${'['.repeat(2000)}`, unlimited))).toEqual([Kind.TooDeep, 0])
  })
})

test('what is built is checked as it is added', () => {
  expect(failure(() => new Builder().insert('\ud83d'))).toEqual([Kind.BadText, 0])
  expect(failure(() => new Builder().insert('x').retain(-1))).toEqual([Kind.BadLength, 1])
  expect(failure(() => new Builder().delete(0.5))).toEqual([Kind.BadLength, 0])
  expect(failure(() => new Builder().delete(NaN))).toEqual([Kind.BadLength, 0])
  expect(failure(() => new Builder().delete(maxLength + 1))).toEqual([Kind.BadLength, 0])
  expect(failure(() => { check(new Builder().delete(maxLength).delete(1).delta(), unlimited) })).toEqual([Kind.BadLength, 0])
  expect(new Builder().retain(0).insert('').delete(0).delta().isEmpty).toBe(true)
  expect(new Builder().delete(1).insert('a').insert('b').delta().json()).toBe('{"ops":[{"insert":"ab"},{"delete":1}]}')
})

test('attributes are looked up by name', () => {
  const a = parseAttributes('{"b":null,"a":{"z":1,"10":[true]}}')
  expect([a?.json, a?.get('a'), a?.get('b'), a?.get('c'), Attributes.of([])]).toEqual(['{"a":{"10":[true],"z":1},"b":null}', '{"10":[true],"z":1}', 'null', undefined, null])
})

/** verify holds a tree to its invariants, and returns its height. */
function verify(node: Node, root = true): number {
  if (node.kids.length === 0) {
    expect(node.runs.length).toBeLessThanOrEqual(maxRuns)
    expect(node.units).toBeLessThanOrEqual(maxUnits)
    if (!root) expect(node.units).toBeGreaterThan(0)
    expect(node.units).toBe(node.runs.reduce((n, run) => n + run.n, 0))
    expect(node.embeds).toBe(node.runs.filter((run) => run.embed !== null).length)
    for (const run of node.runs) if (run.embed === null) expect(run.text.isWellFormed()).toBe(true)
    return 0
  }
  expect(node.kids.length).toBeLessThanOrEqual(maxKids)
  if (root) expect(node.kids.length).toBeGreaterThan(1)
  expect([node.units, node.embeds, node.format]).toEqual(
    [node.kids.reduce((n, k) => n + k.units, 0), node.kids.reduce((n, k) => n + k.embeds, 0), node.kids.reduce((n, k) => n + k.format, 0)],
  )
  const heights = new Set(node.kids.map((kid) => verify(kid, false)))
  expect(heights.size).toBe(1)
  return 1 + Math.max(...heights)
}

const leavesOf = (node: Node): number => (node.kids.length === 0 ? 1 : node.kids.reduce((n, kid) => n + leavesOf(kid), 0))

describe('the tree of a document', () => {
  const textOf = (node: Node) => {
    let out = ''
    walk(node, 0, node.units, (run) => {
      out += run.text
      return true
    })
    return out
  }
  const runsOf = (text: string, attrs: string) => new Builder().insert(text, parseAttributes(attrs)).delta().ops

  test('stays one, wherever it is edited, and holds what a text would', () => {
    const r = new Random(7)
    for (let round = 0; round < 6; round++) {
      let text = ''
      let tree = planted([])
      const borders = (at: number) => (cuts(tree, at) ? at + 1 : at)
      for (let i = 0; i < 600; i++) {
        const from = borders(r.below(text.length + 1))
        if (r.chance(55)) {
          const more = r.one(['a', '😀', 'xyz', 'long '.repeat(r.below(400)) + '.', '😀'.repeat(r.below(900)) + 'é'])
          tree = edited(tree, from, from, { keep: false, attrs: null, embed: null, insert: runsOf(more, r.one(['{}', '{"b":1}', '{"i":2}'])) })
          text = text.slice(0, from) + more + text.slice(from)
        } else {
          const to = borders(Math.min(text.length, from + r.one([1, 2, 5, 3000, 20_000])))
          if (from >= to) continue
          const keep = r.chance(50)
          tree = edited(tree, from, to, { keep, attrs: keep ? parseAttributes(r.one(['{"b":null}', '{"b":1}'])) : null, embed: null, insert: [] })
          if (!keep) text = text.slice(0, from) + text.slice(to)
        }
        if (i % 20 === 0) {
          verify(tree)
          expect(textOf(tree)).toBe(text)
        }
      }
      verify(tree)
      expect(textOf(tree)).toBe(text)
    }
  })

  test('is filled well by who types, and gets small again', () => {
    let tree = planted([])
    for (let i = 0; i < 50_000; i++) tree = edited(tree, i, i, { keep: false, attrs: null, embed: null, insert: runsOf('x', '{}') })
    verify(tree)
    expect(leavesOf(tree)).toBeLessThan((2.5 * 50_000) / maxUnits)
    for (let n = 50_000; n > 10; n -= 7) tree = edited(tree, n >> 1, (n >> 1) + 7, { keep: false, attrs: null, embed: null, insert: [] })
    verify(tree)
    expect(leavesOf(tree)).toBeLessThan(3)
  })
})

describe('a document', () => {
  const d = Document.of(new Builder().insert('hello 😀').delta())

  test('stays as it was when an edit is refused, and when one is made', () => {
    expect(failure(() => d.apply(new Builder().insert('x').retain(7).delete(1).delta()))).toEqual([Kind.SplitPair, 1])
    d.apply(new Builder().insert('x').delta())
    expect(d.text()).toBe('hello 😀')
  })

  test('holds to its limits, and may become smaller when they were lowered', () => {
    const small = d.within({ ...defaultLimits, documentUnits: 5, embeds: 0, documentFormat: 10 })
    expect(failure(() => small.apply(new Builder().insert('x').delta()))).toEqual([Kind.DocumentFull, noOp])
    expect(failure(() => small.apply(parse('[{"insert":{"a":1}},{"delete":2}]')))).toEqual([Kind.DocumentFull, noOp])
    expect(failure(() => small.apply(parse('[{"retain":1,"attributes":{"a":"long"}}]')))).toEqual([Kind.DocumentFull, noOp])
    expect(small.apply(new Builder().delete(1).delta()).length).toBe(7)
  })

  test('of half a megabyte takes an edit in well below a millisecond', () => {
    const r = new Random(3)
    let big = Document.of(new Builder().insert('a page of text\n'.repeat(35_000)).delta())
    const edits: Delta[] = Array.from({ length: 2000 }, () => new Builder().retain(r.below(500_000)).insert('x').delta())
    const began = performance.now()
    for (const edit of edits) big = big.apply(edit)
    expect((performance.now() - began) / edits.length).toBeLessThan(0.5)
    expect(big.length).toBe(525_000 + 2000)
  })
})
