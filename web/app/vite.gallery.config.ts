import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig } from 'vite'
import config from './vite.config.ts'

// The gallery, to be looked at and tested: npx vite build -c vite.gallery.config.ts && npx vite preview -c vite.gallery.config.ts
export default mergeConfig(
  config,
  defineConfig({
    // As strict as the gateway serves the application.
    preview: { headers: { 'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'" } },
    build: { outDir: 'dist-gallery', rolldownOptions: { input: fileURLToPath(new URL('gallery.html', import.meta.url)) } },
  }),
)
