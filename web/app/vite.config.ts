import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'
import { chunks } from './chunks.ts'
import { compress } from './compress.ts'
import { layers } from './layers.ts'
import { modules } from './modules.ts'
import { worker } from './worker.ts'

/** The Plenum that `make web-dev` works with. */
const plenum = process.env['PLENUM'] ?? 'http://127.0.0.1:8080'

// The gateway sees the page's own Host and Origin, and admits it because they are the same: nothing is configured there, nothing weakened here.
const proxied = { target: plenum, ws: true }

export default defineConfig({
  plugins: [solid(), modules(), layers(), worker(), compress()],
  resolve: {
    // Where there is a document, the package sets innerHTML, which the gateway's policy forbids.
    alias: { 'decode-named-character-reference': new URL('src/markdown/entities.ts', import.meta.url).pathname },
  },
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'], // the first with light-dark()
    assetsInlineLimit: 0, // the Content-Security-Policy admits no data: URLs
    modulePreload: { polyfill: false }, // nor inline scripts
    rolldownOptions: { output: { codeSplitting: chunks() }, checks: { bundlerTimings: false } },
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    strictPort: true,
    proxy: {
      '^/(edge/|livez$|readyz$)': proxied,
      '^/plenum\\.[a-z.]+\\.v\\d+\\.\\w+/\\w+$': proxied, // calls
    },
  },
})
