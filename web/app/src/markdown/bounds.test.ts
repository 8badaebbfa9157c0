import * as fc from 'fast-check'
import type { Root } from 'mdast'
import { fromMarkdown, type Options } from 'mdast-util-from-markdown'
import { expect, test } from 'vitest'
import { isBounded, mostCells } from './bounds.ts'
import { markdown, plain, type Rich } from './markdown.ts'
import { options, parse } from './parse.ts'

/** most is how long a message may be, in bytes. */
const most = 16 * 1024

/** As much as the parser may do for a text: how often it tries what begins here, and what it makes. Time is no figure for a test. */
const mostTries = 10_000
const mostNodes = 4_000
const mostDepth = 40

type Construct = NonNullable<NonNullable<NonNullable<Options['extensions']>[number]>['text']>[string] & object

/** tries counts how often the parser begins to read something, by a construct that stands before all others and never fits. */
function tries(text: string): number {
  let n = 0
  const counting = { name: 'counting', add: 'before', tokenize: (_: unknown, __: unknown, nok: (code: number | null) => unknown) => (code: number | null) => (n++, nok(code)) } as unknown as Construct
  const everywhere = { null: counting }
  fromMarkdown(text, { ...options, extensions: [...options.extensions, { document: everywhere, flow: everywhere, text: everywhere }] })
  return n
}

function nodes(root: Root): { n: number; depth: number } {
  let n = 0
  let depth = 0
  const left: { node: Root | Root['children'][number]; deep: number }[] = [{ node: root, deep: 0 }]
  for (let next = left.pop(); next; next = left.pop()) {
    n++
    depth = Math.max(depth, next.deep)
    if ('children' in next.node) for (const node of next.node.children) left.push({ node, deep: next.deep + 1 })
  }
  return { n, depth }
}

function elements(parts: readonly Rich[]): number {
  return parts.reduce((n, part) => n + 1 + (typeof part === 'string' ? 0 : elements(part.children)), 0)
}

const times = (unit: string) => unit.repeat(Math.floor(most / unit.length))

test.each([
  ['lists in lists', `${'- '.repeat(7_900)}x`],
  ['lists in quotes', `${'> - '.repeat(1_900)}x`],
  ['1,400 lists', `${'- '.repeat(1_400)}x`],
  ['500 lists', `${'- '.repeat(500)}x`],
  ['500 quotes and lists', `${'> - '.repeat(500)}x`],
  ['numbers', `${'1) '.repeat(4_000)}x`],
  ['pluses behind tabs', `${'+\t'.repeat(4_000)}x`],
  ['quotes', `${'>'.repeat(16_000)} x`],
  ['lists by lines', Array.from({ length: 127 }, (_, i) => `${'  '.repeat(i)}- a`).join('\n')],
  ['headings', '# a\n'.repeat(4_000)],
  ['underlined headings', 'a\n=\n'.repeat(4_000)],
  ['paragraphs', times('a\n\n')],
  ['items', '- a\n'.repeat(4_000)],
  ['breaks', times('a\\\n')],
  ['breaks by blanks', times('a  \n')],
  ['addresses', times('a@b.co ')],
  ['links', times('http://a.b ')],
  ['a table of 900 columns', `${'a|'.repeat(900)}\n${'-|'.repeat(900)}\n${'a\n'.repeat(4_000)}`],
  ['brackets far from each other', '['.repeat(500) + 'a '.repeat(7_500) + ']'.repeat(500)],
  ['a bracket, and words', `[${'a '.repeat(8_000)}`],
  ['a bracket far from its end, and words', `${'a '.repeat(2_000)}![${'a '.repeat(5_000)}](b)`],
  ['backticks that nothing closes', Array.from({ length: 49 }, (_, i) => `${'`'.repeat(i + 1)} `).join('') + 'a '.repeat(7_000)],
  ['emphasis', times('*a **b [c](d) ')],
])('%s: shown as they stand', (_, text) => {
  expect(isBounded(text.slice(0, most))).toBe(false)
  expect(markdown(text)).toEqual([{ tag: 'p', children: [text] }])
})

test.each([
  ['a list ten deep', Array.from({ length: 10 }, (_, i) => `${'    '.repeat(i)}- a`).join('\n'), 'ul'],
  ['a log of 16 KiB', `\`\`\`\n${times('[info] a|b *c* <d> a@b.co --flag=1\n').slice(0, most - 8)}\n\`\`\``, 'pre'],
  ['a table', `${'a|'.repeat(12)}\n${'-|'.repeat(12)}\n${`${'1|'.repeat(12)}\n`.repeat(40)}`, 'table'],
  ['long paragraphs', `${'Some *words* of `prose`, with a [link](https://a.example/). '.repeat(8)}\n\n`.repeat(8), 'p'],
  ['a long paragraph with a link at its beginning', `[what](https://a.example/) ${'is said of it at length '.repeat(150)}`, 'p'],
  ['a list of links', '- [what](https://a.example/) was `done`, and *by whom*\n'.repeat(60), 'ul'],
])('%s: is what people write', (_, text, tag) => {
  expect(isBounded(text)).toBe(true)
  expect(markdown(text)[0]).toMatchObject({ tag })
  expect(markdown(text)).not.toEqual([{ tag: 'p', children: [text] }])
})

const piece = fc.constantFrom(
  '- ', '+ ', '* ', '1. ', '2) ', '> ', '>', '# ', '\t', ' ', '    ', '\n', '\n\n', '\r\n', '\r', 'a', 'b ', '=\n', '---\n', '```\n', '~~~\n', '`', '``', '*', '**', '_', '~~', '[', ']', '![', '](', ')', '(b)', '[a]: b\n',
  '|', '|-', '-|-\n', '<', '<b>', '<!--', '-->', '&amp;', '\\', '\\\n', '  \n', 'http://a.b', 'www.a.b ', 'a@b.co ', '@ada ', '- [x] ', '"', '\u0000', '\uFEFF', '\uD800', '😀',
)
const run = fc.tuple(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 4_000 })).map(([unit, n]) => unit.join('').repeat(n))
const hostile = fc.array(run, { minLength: 1, maxLength: 4 }).map((runs) => runs.map((part) => part.slice(0, most / runs.length)).join(''))
/** As much of it as is parsed. */
const parsed = hostile.map((text) => {
  let from = 0
  let to = text.length
  while (from < to) {
    const middle = Math.ceil((from + to) / 2)
    if (isBounded(text.slice(0, middle))) from = middle
    else to = middle - 1
  }
  return text.slice(0, from)
})

test('what is parsed costs no more than that, whatever it is', () => {
  fc.assert(
    fc.property(parsed, (text) => {
      const { n, depth } = nodes(parse(text))
      expect({ n: n <= mostNodes, depth: depth <= mostDepth, tries: tries(text) <= mostTries, elements: elements(markdown(text)) <= mostNodes }).toEqual({ n: true, depth: true, tries: true, elements: true })
    }),
    { numRuns: 40 },
  )
}, 60_000)

test('no text fails, and none is lost', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const said = plain(markdown(text))
      if (!isBounded(text)) expect(said).toBe(`${text}\n`)
      else if (text.trim() !== '') expect(said.trim() !== '' || markdown(text).some((part) => typeof part !== 'string' && part.tag === 'hr')).toBe(true)
    }),
    { numRuns: 150 },
  )
}, 60_000)

test('a table has so many columns', () => {
  const table = (columns: number) => `${'a|'.repeat(columns)}\n${'-|'.repeat(columns)}`
  expect(isBounded(table(mostCells))).toBe(true)
  expect(isBounded(table(mostCells + 1))).toBe(false)
})

test('what only looks like code is counted', () => {
  const marks = '*a '.repeat(1_300)
  expect(isBounded(`\`\`\`\n${marks}\n\`\`\``)).toBe(true)
  expect(isBounded(`\`\`\`\n\`\`\`\n${marks}`)).toBe(false)
  expect(isBounded(`<!--\n\`\`\`\n-->\n${marks}`)).toBe(false) // the fence is HTML, and its end is no code
  expect(isBounded(`\`\`\` a\`\n${marks}`)).toBe(false)
  expect(isBounded(`~~~\n\`\`\`\n${marks}`)).toBe(true)
})
