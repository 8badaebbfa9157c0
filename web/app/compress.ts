import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** What compressing makes smaller; images and fonts are compressed already. */
const kinds = new Set(['.html', '.js', '.css', '.json', '.webmanifest', '.svg', '.txt', '.wasm'])

/** Below so many bytes there is nothing to be had: an answer's head alone is longer. */
const least = 256

/** compress writes app.js.br and app.js.gz beside app.js, once and at their best, for the gateway to choose from (gateway/internal/site). */
export function compress(): Plugin {
  let folder = ''
  return {
    name: 'plenum-compress',
    apply: 'build',
    configResolved: (config) => {
      folder = join(config.root, config.build.outDir)
    },
    closeBundle: () => {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        if (!entry.isFile() || !kinds.has(extname(entry.name))) continue
        const plain = readFileSync(path)
        if (plain.length < least) continue
        const size = { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length }
        for (const [suffix, body] of [
          ['.br', brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, ...size } })],
          ['.gz', gzipSync(plain, { level: constants.Z_BEST_COMPRESSION })],
        ] as const) {
          if (body.length < plain.length) writeFileSync(path + suffix, body)
        }
      }
    },
  }
}
