import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

// The client in Go (client/doc) is held to this one by recordings, in both directions. They stand with the Go code, since its test cache sees files
// of its own module alone. Recordings of other seeds, and more of them, go to folders of their own: see web/sdk/README.md.

const testdata = join(import.meta.dirname, '../../../client/doc/testdata')

/** variable is a setting from outside, for cases that are not committed. */
const variable = (name: string, otherwise: string) => process.env[name] ?? otherwise

export const seed = Number(variable('RECORDINGS_SEED', '1'))
export const rounds = (committed: number) => Number(variable('RECORDINGS_ROUNDS', String(committed)))
/** elsewhere: what is recorded is not compared with what is committed. */
export const elsewhere = process.env['RECORDINGS_TO'] !== undefined

/** sessionNames are the sessions that the client in Go recorded. */
export function sessionNames(): string[] {
  const folder = process.env['RECORDINGS_FROM'] ?? join(testdata, 'sessions')
  const names = readdirSync(folder).filter((name) => name.startsWith('session-'))
  if (names.length === 0) throw new Error(`${folder} has no sessions`)
  return names.sort().map((name) => `sessions/${name}`)
}

/** recordingOf reads what the client in Go recorded. */
export function recordingOf<T>(name: string): T[] {
  const folder = process.env['RECORDINGS_FROM']
  const file = folder === undefined ? join(testdata, name) : join(folder, name.replace(/.*\//, ''))
  return JSON.parse(readFileSync(file, 'utf8')) as T[]
}

/** recorded compares lines with what is committed, or writes them: npm run record. */
export function recorded(name: string, lines: readonly unknown[]): void {
  const text = `[\n${lines.map((line) => JSON.stringify(line)).join(',\n')}\n]\n`
  const folder = process.env['RECORDINGS_TO']
  const file = join(folder ?? join(testdata, 'typescript'), name)
  if (folder !== undefined || process.env['RECORDINGS_UPDATE'] !== undefined) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return
  }
  const before = readFileSync(file, 'utf8').split('\n')
  for (const [i, line] of text.split('\n').entries()) {
    if (line !== before[i]) expect(line, `line ${i + 1} of ${file} is out of date: npm run record writes it anew, to be read in the diff`).toBe(before[i])
  }
  expect(text.split('\n').length, `lines of ${file}`).toBe(before.length)
}
