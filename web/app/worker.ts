import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin, type Rolldown } from 'vite'
import { moduleNames } from './modules.ts'
import type { Build } from './src/offline/serve.ts'

/** Folders of src/ of which what is loaded by import() is kept once somebody has used it, not before. */
const asUsed = ['emoji/']

const source = fileURLToPath(new URL('src/', import.meta.url))

/** What all files of a build have together at most, in bytes: browsers keep a build whole, and for a while two. Beyond, keep something out of it, and fetch that as it is used. */
const most = 6 << 20

/** placesOf are the first parts of the paths of all modules' routes, as their module.ts names them. */
export function placesOf(names: readonly string[]): string[] {
  const paths = names.flatMap((name) => [...readFileSync(`${source}${name}/module.ts`, 'utf8').matchAll(/\broute\(\s*'\/([\w-]*)/g)].map(([, first]) => first ?? ''))
  return [...new Set(['', ...paths])].sort()
}

/**
 * worker makes /sw.js, with the list of all files that were written, and names the build in the page. With PLENUM_WITHOUT=offline there is none: the gateway then
 * answers with a worker that undoes an earlier one.
 */
export function worker(without = (process.env['PLENUM_WITHOUT'] ?? '').split(',')): Plugin {
  let folder = ''
  return {
    name: 'plenum-worker',
    apply: 'build',
    configResolved: (config) => {
      folder = join(config.root, config.build.outDir)
    },
    async writeBundle(_, bundle) {
      if (without.includes('offline')) return
      const files = filesIn(folder)
      const page = files.find(({ path }) => path === '/')
      if (page === undefined) return // the gallery
      const size = files.reduce((sum, { body }) => sum + body.length, 0)
      if (size > most) this.error(`the build has ${size} bytes, more than the ${most} that browsers are to keep`)
      const version = createHash('sha256').update(JSON.stringify(files.map(({ path, body }) => [path, digest(body)]))).digest('base64url').slice(0, 16)

      page.body = Buffer.from(page.body.toString().replace('</title>', `</title>\n    <meta name="plenum-build" content="${version}" />`))
      writeFileSync(join(folder, 'index.html'), page.body)
      const later = laterOf(bundle)
      const list = (some: readonly File[]) => Object.fromEntries(some.map(({ path, body }) => [path, `sha256-${digest(body)}`]))
      const all: Build = { version, files: list(files.filter(({ path }) => !later.has(path))), later: list(files.filter(({ path }) => later.has(path))), places: placesOf(moduleNames(without)) }
      writeFileSync(join(folder, 'sw.js'), await script(all))
    },
  }
}

/** laterOf are the paths of what is kept as it is used: chunks of nothing but such folders that only import() brings, with their styles and assets. */
function laterOf(bundle: Rolldown.OutputBundle): ReadonlySet<string> {
  const chunks = Object.values(bundle).filter((one) => one.type === 'chunk')
  const own = (id: string) => asUsed.some((folder) => id.startsWith(source + folder))
  const modules = (one: (typeof chunks)[number]) => [...one.moduleIds, one.facadeModuleId ?? ''].filter((id) => id.startsWith(source))
  const later = chunks.filter((one) => !one.isEntry && modules(one).length > 0 && modules(one).every(own))
  for (let before = -1; before !== later.length; ) {
    before = later.length
    for (const one of [...later]) {
      if (chunks.some((other) => !later.includes(other) && other.imports.includes(one.fileName))) later.splice(later.indexOf(one), 1) // it comes with what is kept at once
    }
  }
  return new Set(later.flatMap((one) => [one.fileName, ...(one.viteMetadata?.importedCss ?? []), ...(one.viteMetadata?.importedAssets ?? [])]).map((name) => `/${name}`))
}

interface File {
  /** "/assets/app-1a2b.js"; "/" is the page. */
  readonly path: string
  body: Buffer
}

/** filesIn are all files of a build, the page first. */
function filesIn(folder: string): File[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.map'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ path: `/${relative(folder, name).replaceAll('\\', '/')}`.replace(/^\/index\.html$/, '/'), body: readFileSync(name) }))
    .sort((a, b) => a.path.localeCompare(b.path))
}

const digest = (body: Buffer) => createHash('sha256').update(body).digest('base64')

/** script is the worker as one classic script: not every browser takes modules there. */
async function script(all: Build): Promise<string> {
  const output = (await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define: { BUILD: JSON.stringify(all) },
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: `${source}offline/worker.ts`, output: { format: 'iife' } },
    },
  })) as Rolldown.RolldownOutput
  return output.output[0].code
}
