import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // real browsers and servers on two shared cores: once more before it counts; the report shows what was tried again
    retry: 1,
  },
})
