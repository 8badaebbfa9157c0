import { bench, describe } from 'vitest'
import { Random } from '../../test/mix.ts'
import { Builder } from './builder.ts'
import { compose, composeAll } from './compose.ts'
import { diff } from './diff.ts'
import { Document } from './document.ts'
import { parse, parseAttributes } from './parse.ts'
import { rebase, transform } from './transform.ts'

const r = new Random(1)
const words = ['the', 'of', 'and', 'collaboration', 'document', 'a', 'text', 'Plenum', 'is', 'written', '\n', 'ß', '😀']
let text = ''
while (text.length < 500_000) text += r.one(words) + r.one([' ', ', ', '. ', String(r.below(1000))])
const page = Document.of(new Builder().insert(text).delta())
const place = () => {
  const at = r.below(500_000)
  return page.cuts(at) ? at + 1 : at
}
const insertAt = (at: number, text = 'x') => new Builder().retain(at).insert(text).delta()

describe('a document of 500 KB', () => {
  let typed = page
  let at = place()
  bench('one character typed, at one place', () => {
    typed = typed.apply(insertAt(at++))
  })

  let scattered = page
  bench('one character inserted, anywhere', () => {
    const at = r.below(500_000)
    scattered = scattered.apply(insertAt(scattered.cuts(at) ? at + 1 : at))
  })

  let painted = page
  bench('ten characters made bold or plain, anywhere', () => {
    const at = r.below(499_000)
    const end = at + 10
    const from = painted.cuts(at) ? at + 1 : at
    const bold = parseAttributes(r.chance(50) ? '{"bold":true}' : '{"bold":null}')
    painted = painted.apply(new Builder().retain(from).retain((painted.cuts(end) ? end + 1 : end) - from, bold).delta())
  })

  bench('as JSON', () => {
    page.json()
  })

  bench('its hash', () => {
    page.hash()
  })

  const json = page.json()
  bench('read from JSON', () => {
    Document.of(parse(json))
  })

  const edits = composeAll(Array.from({ length: 100 }, () => place()).sort((a, b) => b - a).map((at) => insertAt(at, 'another word')))
  const other = page.apply(edits)
  bench('the difference to one with 100 other words', () => {
    diff(page.delta(), other.delta())
  })
})

describe('changes', () => {
  const one = insertAt(48_213)
  const two = new Builder().retain(312).delete(1).delta()
  bench('one over another', () => {
    transform(one, two, true)
  })

  bench('one read as it comes', () => {
    parse('{"ops":[{"retain":48213},{"attributes":{"bold":true},"insert":"x"}]}')
  })

  const many = Array.from({ length: 20_000 }, () => insertAt(r.below(200_000)))
  const whole = composeAll(many)
  bench('20,000 at random places composed', () => {
    composeAll(many)
  })

  bench('one more composed with those', () => {
    compose(whole, one)
  })

  bench('those over ten of others', () => {
    rebase(whole, many.slice(0, 10))
  })
})
