import { compose, concat, Builder, slice, type Delta } from '../src/ot/index.ts'
import { embeds, type Question } from './engine.ts'
import { anyMix, changeOf, documentOf, type Random } from './mix.ts'

/** questionsOf asks a question of each kind about random Deltas. */
export function questionsOf(r: Random): Question[] {
  const m = anyMix(r)
  const base = documentOf(m, r, r.below(6))
  const a = changeOf(m, r, base, r.below(6))
  const b = changeOf(m, r, base, r.below(6))
  const list: string[] = []
  let content = base
  for (let n = 1 + r.below(5); n > 0; n--) {
    const change = changeOf(m, r, content, r.below(4))
    list.push(change.json())
    content = compose(content, change, embeds)
  }
  const priority = r.chance(50)
  const at = r.below(a.length + 2)
  return [
    { f: 'parse', a: spoiled(r, a.json()) },
    { f: 'parse', a: spoiled(r, base.json()) },
    { f: 'compose', a: base.json(), b: a.json() },
    { f: 'compose', a: loosened(r, a), b: shifted(r, b) },
    { f: 'composeAll', a: '[]', list: [base.json(), ...list] },
    { f: 'transform', a: a.json(), b: b.json(), priority },
    { f: 'transform', a: loosened(r, a), b: loosened(r, b), priority: !priority },
    { f: 'position', a: a.json(), at: r.below(base.length + 2), priority },
    { f: 'invert', a: a.json(), b: base.json() },
    { f: 'invert', a: shifted(r, a), b: base.json() },
    { f: 'rebase', a: b.json(), list },
    { f: 'slice', a: a.json(), at, to: at + r.below(a.length + 2) },
    { f: 'concat', a: loosened(r, a), b: b.json() },
    { f: 'normal', a: loosened(r, a) },
    { f: 'length', a: a.json() },
    { f: 'apply', a: base.json(), list, at: r.below(content.length + 1), to: r.below(content.length + 3) },
    { f: 'apply', a: base.json(), list: [shifted(r, a), b.json()], to: 5 },
    { f: 'limits', a: base.json(), list, to: 3 },
    { f: 'diff', a: base.json(), b: content.json() },
    { f: 'diff', a: base.json(), b: documentOf(m, r, r.below(12)).json(), effort: r.below(60) },
    { f: 'diff', a: letters(r), b: letters(r) },
  ]
}

/** loosened is a Delta's JSON, with its operations cut in two here and there. */
function loosened(r: Random, d: Delta): string {
  const parts: string[] = []
  let at = 0
  for (const op of d.ops) {
    for (let left = op.n; left > 0; ) {
      const n = 1 + r.below(left)
      if (n < left && op.text !== '' && !op.text.slice(op.n - left, op.n - left + n).isWellFormed()) continue
      parts.push(slice(d, at, at + n).json().slice('{"ops":['.length, -2))
      at += n
      left -= n
    }
  }
  return `{"ops":[${parts.join(',')}]}`
}

/** shifted is a change that begins elsewhere, so that it may cut a pair or go past the end. */
export const shifted = (r: Random, d: Delta): string => concat(new Builder().retain(1 + r.below(3)).delta(), d).json()

const spoilers = ['"', '{', '}', ']', ',', ':', '\\', '\\ud83d', '\\ude00', '\\u0061', '0', '-', '.5', 'e2', ' ', '\n', '\t\u0001', 'null', '[[[[', '"x":1,', '1e400', '"__proto__":1,', '\u2028', '😀', '"attributes":{},']

/** spoiled is a text with something wrong in it, perhaps. */
function spoiled(r: Random, text: string): string {
  for (let n = r.below(3); n > 0; n--) {
    const at = r.below(text.length)
    text = text.slice(0, at) + r.one(spoilers) + text.slice(at + r.below(2))
  }
  return text.toWellFormed()
}

/** letters is a text of few characters: many differences of the same size, and much to clean up. */
function letters(r: Random): string {
  const alphabet = Array.from(r.one(['ab', 'aab  .\n', 'ab\r\n\n\n', '😀😁🤀a', 'abcdefgh 😀']))
  let text = ''
  for (let n = 1 + r.below(50); n > 0; n--) text += r.one(alphabet)
  return new Builder().insert(text).delta().json()
}
