import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig } from 'vite'
import config from './vite.config.ts'

// The gallery, to be looked at and tested: npx vite build -c vite.gallery.config.ts && npx vite preview --outDir dist-gallery
export default mergeConfig(
  config,
  defineConfig({ build: { outDir: 'dist-gallery', rolldownOptions: { input: fileURLToPath(new URL('gallery.html', import.meta.url)) } } }),
)
