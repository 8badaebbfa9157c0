import { expect, it } from 'vitest'
import { markdown } from '../markdown/markdown.ts'
import { register, type Manifest } from '../module.ts'
import { cardsOf, mostCards } from './cards.ts'

/** A module that knows documents, and one that knows all of a host. */
const documents: Manifest = { name: 'documents', cards: [{ matches: (url) => /^\/d\/\w+$/.test(url.pathname), load: () => Promise.resolve({ default: () => 'a document' }) }] }
const files: Manifest = { name: 'files', cards: [{ matches: (url) => url.hostname === 'plenum.example', load: () => Promise.resolve({ default: () => 'a file' }) }] }

const of = (text: string, ...manifests: Manifest[]) => {
  const { cards } = register(manifests)
  return cardsOf(markdown(text), cards).map(({ card, url }) => [manifests.find((m) => m.cards?.includes(card))?.name, url.pathname])
}

it('is what a module shows of a link in a message, wherever it stands there', () => {
  expect(of('See https://plenum.example/d/one, and\n\n- **[this](https://plenum.example/d/two)**', documents)).toEqual([['documents', '/d/one'], ['documents', '/d/two']])
  expect(of('https://plenum.example/d/one `https://plenum.example/d/two` https://plenum.example/c/x', documents)).toEqual([['documents', '/d/one']])
  expect(of('no link, and mailto:ada@plenum.example', documents, files)).toEqual([])
  expect(of('https://plenum.example/d/one')).toEqual([])
})

it('is the first module’s that knows the link, and one for each place', () => {
  expect(of('https://plenum.example/d/one https://plenum.example/d/one https://plenum.example/f/x', documents, files)).toEqual([['documents', '/d/one'], ['files', '/f/x']])
})

it('is for the first links alone, and for none that says to lead elsewhere', () => {
  expect(of([1, 2, 3, 4, 5].map((n) => `https://plenum.example/d/${n}`).join(' '), documents)).toHaveLength(mostCards)
  expect(of('[https://bank.example/d/one](https://plenum.example/d/one)', documents)).toEqual([])
})
