// Makes dist/ a package that runs without a bundler: `npm run build` compiles src/ into it, and this writes its package.json, whose exports are those of the sources.
import { readFileSync, writeFileSync } from 'node:fs'

const own = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

/** compiled is what the compiler makes of a source: "./src/index.ts" is ./index.js, with ./index.d.ts beside it. */
const compiled = (source) => {
  const name = source.replace('./src/', './').replace(/\.ts$/, '')
  return { types: `${name}.d.ts`, default: `${name}.js` }
}

const exports = Object.fromEntries(
  Object.entries(own.exports).map(([path, source]) => (path.endsWith('/*') ? [`${path}.ts`, compiled(`${source}.ts`)] : [path, compiled(source)])),
)
const { name, version, description, type, sideEffects, dependencies } = own
writeFileSync(new URL('dist/package.json', import.meta.url), `${JSON.stringify({ name, version, description, type, exports, sideEffects, dependencies }, null, 2)}\n`)
