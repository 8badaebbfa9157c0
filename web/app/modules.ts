import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const id = 'virtual:modules'

/** moduleNames are the folders of src that have a module.ts: the shell first, then by name; without those that are left out. */
export function moduleNames(without: readonly string[]): readonly string[] {
  const src = fileURLToPath(new URL('src/', import.meta.url))
  return readdirSync(src)
    .filter((name) => existsSync(`${src}${name}/module.ts`) && !without.includes(name))
    .sort((a, b) => Number(b === 'shell') - Number(a === 'shell') || a.localeCompare(b))
}

/** modules makes `virtual:modules` of them. PLENUM_WITHOUT is a list with commas of those that a build leaves out. */
export function modules(without = (process.env['PLENUM_WITHOUT'] ?? '').split(',')): Plugin {
  return {
    name: 'plenum-modules',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load: (source) => {
      if (source !== `\0${id}`) return undefined
      const names = moduleNames(without)
      return [...names.map((name, n) => `import { manifest as m${n} } from '/src/${name}/module.ts'`), `export const modules = [${names.map((_, n) => `m${n}`).join(', ')}]`].join('\n')
    },
  }
}
