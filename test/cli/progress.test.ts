import { expect, test } from 'vitest'
import { createProgress } from '../../src/cli/progress.ts'

test('work of less than a second shows nothing, on a terminal or without one', () => {
  const written: string[] = []
  const progress = createProgress({ write: (text) => written.push(text) })
  for (const done of [0, 0.5, 1]) progress.show(done)
  progress.clear()
  createProgress(undefined).show(0.5)
  expect(written).toEqual([])
})
