import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const path = (name: string) => new URL(name, import.meta.url)
const read = (name: string) => readFileSync(path(name), 'utf8')

test.each([['first', 0, 'sample.ts'], ['second', 1, 'sample-node.ts']] as const)('the %s sample of the README compiles: it is %s', (_, at, name) => {
  const sample = [...read('../README.md').matchAll(/```ts\n([\s\S]*?)```/g)][at]?.[1]
  const [, body] = read(name).split('// ----\n')
  expect(sample).toBe(body)
})

test('the table of files has them all', () => {
  const table = /## Where to read\n([\s\S]*?)\n## /.exec(read('../README.md'))?.[1] ?? ''
  const files = readdirSync(path('../src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !/^proto\/|\.(test|bench)\.ts$|(^|\/)index\.ts$/.test(name))
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter((name) => !table.includes(name.slice(name.lastIndexOf('/') + 1)))).toEqual([])
})

test('what the package exports is there, to be compiled', () => {
  const { exports } = JSON.parse(read('../package.json')) as { exports: Record<string, string> }
  expect(Object.values(exports).filter((name) => !existsSync(path(`../${name.replace('/*', '')}`)))).toEqual([])
})
