import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

export default defineConfig({
  plugins: [solid()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the Content-Security-Policy admits no data: URLs
    modulePreload: { polyfill: false }, // nor inline scripts
  },
  worker: { format: 'es' },
})
