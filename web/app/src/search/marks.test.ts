import { expect, test } from 'vitest'
import { excerpt, marks } from './marks.ts'

const shown = (text: string, query: string) => marks(text, query).map((part) => (part.marked ? `[${part.text}]` : part.text)).join('')

test.each([
  ['The release notes, released', 'rel not', 'The [rel]ease [not]es, [rel]eased'],
  ['Grüße aus Köln', 'KOLN gru', '[Grü]ße aus [Köln]'.replace('[Grü]ße', '[Grüße]')],
  ['A lease is no release', 'lease', 'A [lease] is no release'],
  ['x', '', 'x'],
  ['', 'x', ''],
])('%s', (text, query, want) => {
  expect(shown(text, query)).toBe(want)
})

test('nothing of the text is lost', () => {
  const text = 'Naïve “quotes”, 😀 and naïveté; ﬁne'
  expect(marks(text, 'naive fine quo').map((part) => part.text).join('')).toBe(text)
})

test('an excerpt shows the first word that was looked for, and is cut between words', () => {
  const long = `${'some words before it '.repeat(20)}needle ${'and more behind '.repeat(20)}`
  const cut = excerpt(long, 'need', 80)
  expect(cut).toMatch(/^….*needle .*…$/)
  expect(cut.length).toBeLessThanOrEqual(82)
  expect(excerpt('short\n text', 'x', 80)).toBe('short text')
  expect(excerpt(long, 'absent', 40)).toMatch(/^some words .*…$/)
})
