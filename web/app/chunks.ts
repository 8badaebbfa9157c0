import type { Rolldown } from 'vite'

/** What is loaded together, by the module of src/ that all of it is imported by: one request each, where there would be one for every module that two of them share. */
const together = { live: 'model/live/live.ts', chat: 'chat/Channel.tsx' } as const

const source = new URL('src/', import.meta.url).pathname

/** chunks says which modules make a file together: those of the first page, those of `together`; the rest as they are imported. */
export function chunks(): Rolldown.CodeSplittingOptions {
  const found = new Map<string, ReadonlySet<string>>()
  return {
    groups: [
      { name: 'start', tags: ['$initial'], priority: 1 },
      {
        debugName: 'together',
        name: (id, graph) => {
          for (const [name, entry] of Object.entries(together)) {
            let modules = found.get(name)
            if (modules === undefined) found.set(name, (modules = imported(source + entry, graph)))
            if (modules.has(id)) return name
          }
          return null
        },
      },
    ],
  }
}

/** imported are a module and all that it imports, but not by import(). */
function imported(entry: string, graph: Rolldown.ChunkingContext): ReadonlySet<string> {
  const all = new Set([entry])
  for (const id of all) for (const next of graph.getModuleInfo(id)?.importedIds ?? []) all.add(next)
  return all
}
