import { defineConfig } from 'vitest/config'
import { modules } from './modules.ts'

// Tests of what is pure: no components, no DOM. Screens are tested in a browser (web/e2e).
export default defineConfig({
  plugins: [modules()],
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
