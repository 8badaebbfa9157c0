<<<<<<< HEAD
import { defineConfig } from 'vitest/config'

// What is tested here is pure: what needs a browser is tested in one (web/e2e).
export default defineConfig({ test: { environment: 'node', include: ['src/**/*.test.ts'] } })
||||||| 44eee98
=======
import { defineConfig } from 'vitest/config'
import { modules } from './modules.ts'

// Tests of what is pure: no components, no DOM. Screens are tested in a browser.
export default defineConfig({
  plugins: [modules()],
  test: { include: ['src/**/*.test.ts'] },
})
>>>>>>> next-ui
