import type { Plugin } from 'vite'

const order = '@layer tokens,base,ui,shell,module;'

/**
 * layers says the order of the layers at the head of each stylesheet of a build. They are loaded in whatever order, the first one that names a layer settles where
 * it stands, and the statement in tokens.css is taken out as the build makes it small.
 */
export function layers(): Plugin {
  return {
    name: 'plenum-layers',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        for (const file of Object.values(bundle)) if (file.type === 'asset' && file.fileName.endsWith('.css')) file.source = `${order}${typeof file.source === 'string' ? file.source : new TextDecoder().decode(file.source)}`
      },
    },
  }
}
