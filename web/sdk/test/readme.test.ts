import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')

test('the first sample of the README compiles: it is sample.ts', () => {
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(read('../README.md')) ?? []
  const [, body] = read('sample.ts').split('// ----\n')
  expect(sample).toBe(body)
})
