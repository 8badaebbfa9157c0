import { expect, it } from 'vitest'
import { sources } from '../test/files.ts'
import type { Catalogue } from './locale.ts'
import { accented, pseudo } from './pseudo.ts'

/** All catalogues: en.ts here, and text.ts in folders that are loaded later. */
const found = import.meta.glob<{ readonly en: Catalogue }>(['./en.ts', '../**/text.ts'], { eager: true })
const catalogues = Object.entries(found).map(([file, { en }]) => ({ file, en }))
const code = sources('.tsx', '.ts')

function keys(catalogue: Catalogue, before = ''): readonly string[] {
  return Object.entries(catalogue).flatMap(([key, text]) => (typeof text === 'object' ? keys(text, `${before}${key}.`) : [`${before}${key}`]))
}

it('finds them', () => expect(catalogues.length).toBeGreaterThan(6))

it.each(catalogues)('$file: each text is used', ({ file, en }) => {
  // A key counts as used where it is named, or where its group is indexed by something: text().role[role].
  const folder = file === './en.ts' ? '' : file.slice(3, file.lastIndexOf('/') + 1)
  const own = code.filter(({ name }) => name.startsWith(folder) && name !== 'i18n/en.ts' && !name.endsWith('/text.ts'))
  const all = own.map(({ text }) => text).join('\n').replace(/\?\./g, '.')
  const unused = keys(en).filter((key) => {
    const parts = key.split('.')
    const last = parts.at(-1) ?? ''
    const group = parts.at(-2)
    if (new RegExp(`\\.${group === undefined ? '' : `${group}\\.`}${last}\\b`).test(all)) return false
    if (group !== undefined && new RegExp(`\\.${group}\\[`).test(all)) return false
    return !(group !== undefined && new RegExp(`= text\\(\\)\\.${group}\\b`).test(all) && new RegExp(`\\bt\\.${last}\\b`).test(all))
  })
  expect(unused).toEqual([])
})

it.each(catalogues)('$file: nothing is empty, and no text is put together of pieces', ({ en }) => {
  const bad = keys(en).filter((key) => {
    let text: unknown = en
    for (const part of key.split('.')) text = (text as Record<string, unknown>)[part]
    return typeof text === 'string' && (text === '' || text !== text.trim())
  })
  expect(bad).toEqual([])
})

it.each(catalogues)('$file: the pseudo-locale has the same keys', ({ en }) => {
  expect(keys(pseudo(en))).toEqual(keys(en))
})

it('accents texts and what functions make', () => {
  const made = pseudo({ a: 'Sign in', b: { c: (n: number) => `${n} people` } }) as { a: string; b: { c: (n: number) => string } }
  expect(made.a).toBe('[Šîĝñ îñ···]')
  expect(made.b.c(3)).toBe('[3 þéöþļé···]')
  expect(accented('')).toBe('')
})

it('screens have no words of their own', () => {
  // Between tags, and in attributes that are read or shown. The gallery's messages are people's words.
  const shown = />\s*[^<>{}()=;&|]*[A-Za-z]{2,}[^<>{}()=;&|]*<\//
  const attribute = /\s(?:aria-label|placeholder|title|alt|label|hint)="[^"]*[A-Za-z]{2}/
  const own = code.filter(({ name }) => name.endsWith('.tsx') && !name.startsWith('gallery/'))
  const bad = own.flatMap(({ name, text }) => text.split('\n').flatMap((line, n) => (shown.test(line) || attribute.test(line) ? [`${name}:${n + 1}: ${line.trim()}`] : [])))
  expect(bad).toEqual([])
})
