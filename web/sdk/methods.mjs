// Writes, for each service of which there are messages in a folder, the methods that users may call: `node methods.mjs FOLDER < contract.json`.
// The contract is what `buf build -o -#format=json` says.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'

const folder = process.argv[2]
const kinds = { NO_SIDE_EFFECTS: 'read', IDEMPOTENT: 'change' }

const lowerFirst = (name) => name[0].toLowerCase() + name.slice(1)

/** methods are the lines of a file's services, and the messages that they name. */
function methods(file) {
  const lines = []
  const names = new Set()
  for (const service of file.service ?? []) {
    for (const m of service.method) {
      const edge = m.options?.['[plenum.edge.v1.method]']
      if (!edge?.exposure) continue // internal
      const [request, response] = [m.inputType, m.outputType].map((name) => name.split('.').at(-1))
      names.add(request).add(response)
      const kind = kinds[m.options.idempotencyLevel] ?? 'once'
      lines.push(`export const ${lowerFirst(m.name)} = /* @__PURE__ */ method('${file.package}.${service.name}/${m.name}', '${kind}', ${request}, ${response})`)
    }
  }
  return { lines, names }
}

for (const file of JSON.parse(readFileSync(0, 'utf8')).file) {
  const messages = `${folder}/${file.name.replace('.proto', '.ts')}`
  if (!existsSync(messages)) continue
  const { lines, names } = methods(file)
  if (lines.length === 0) continue
  const from = basename(messages)
  const depth = '../'.repeat(file.name.split('/').length)
  const imports = `import { method } from '${depth}method.ts'\nimport { ${[...names].sort().join(', ')} } from './${from}'\n`
  writeFileSync(messages.replace('.ts', '.methods.ts'), `// Generated from ${file.name} by methods.mjs. Do not edit.\n${imports}\n${lines.join('\n')}\n`)
}
