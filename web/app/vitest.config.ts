import { defineConfig } from 'vitest/config'
import { modules } from './modules.ts'

// Tests of what is pure: no components, no DOM. Screens are tested in a browser.
export default defineConfig({
  plugins: [modules()],
  test: { include: ['src/**/*.test.ts'] },
})
