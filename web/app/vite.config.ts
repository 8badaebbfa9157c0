import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'
import { modules } from './modules.ts'

export default defineConfig({
  plugins: [solid(), modules()],
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'], // the first with light-dark()
    assetsInlineLimit: 0, // the Content-Security-Policy admits no data: URLs
    modulePreload: { polyfill: false }, // nor inline scripts
  },
  worker: { format: 'es' },
})
