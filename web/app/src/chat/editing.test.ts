import { afterEach, expect, it, vi } from 'vitest'
import { editingOf } from './editing.ts'

afterEach(() => { vi.unstubAllGlobals() })

it('outlives the screen and the page, until it is saved or given up', () => {
  const kept = new Map<string, string>()
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => kept.set(key, text),
    removeItem: (key: string) => kept.delete(key),
  })
  const first = editingOf('c', 0)
  expect(first.offset()).toBeUndefined()
  first.begin(7)
  expect([first.offset(), first.text()]).toEqual([7, undefined])
  first.type('two\nlines')
  const again = editingOf('c', 0)
  expect([again.offset(), again.text()]).toEqual([7, 'two\nlines'])
  again.begin(7) // it is where it was
  expect(again.text()).toBe('two\nlines')
  for (const [channel, root] of [['c', 7], ['d', 0]] as const) expect(editingOf(channel, root).offset()).toBeUndefined()
  again.type('')
  expect(editingOf('c', 0).text()).toBe('')
  again.begin(9)
  expect(again.text()).toBeUndefined()
  again.end()
  expect([again.offset(), kept.size]).toEqual([undefined, 0])
})

it('lasts as long as the page where nothing can be kept', () => {
  const editing = editingOf('c', 0)
  editing.begin(7)
  editing.type('words')
  expect([editing.offset(), editing.text()]).toEqual([7, 'words'])
})
