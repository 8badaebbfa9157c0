import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { sources } from '../test/files.ts'
import * as icons from './icons.ts'

it('are as icons.mjs writes them', () => {
  const file = fileURLToPath(new URL('icons.ts', import.meta.url))
  const before = readFileSync(file, 'utf8')
  execFileSync(process.execPath, [fileURLToPath(new URL('../../icons.mjs', import.meta.url))])
  expect(readFileSync(file, 'utf8')).toBe(before)
})

it('begin with an absolute move, and so do those behind', () => {
  for (const [name, path] of Object.entries(icons)) expect(path, name).toMatch(/^M(?:(?!z?m)[\s\S])*(?:M(?:(?!m)[\s\S])*)*$/)
})

it('are all used', () => {
  const code = sources('.tsx', 'module.ts', 'providers.ts', 'pausing.ts').map(({ text }) => text).join('\n')
  expect(Object.keys(icons).filter((name) => !code.includes(name))).toEqual([])
})
