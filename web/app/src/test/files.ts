/** The sources, for tests that read them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface Source {
  /** "ui/Button.tsx". */
  readonly name: string
  readonly text: string
}

/** sources are those below src whose name ends like this, without tests. */
export function sources(...endings: readonly string[]): readonly Source[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => endings.some((ending) => name.endsWith(ending)) && !name.endsWith('.test.ts') && !name.startsWith('test/'))
    .sort()
    .map((name) => ({ name, text: readFileSync(`${root}${name}`, 'utf8') }))
}

/** withoutComments is CSS or TypeScript without what only people read. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}
