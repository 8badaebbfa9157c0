import { defineConfig } from 'vitest/config'

// What is tested here is pure: what needs a browser is tested in one (web/e2e).
export default defineConfig({ test: { environment: 'node', include: ['src/**/*.test.ts'] } })
