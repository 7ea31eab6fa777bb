/** The flag that a server runs with, however it is started. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makePlace, portico, type Serving } from '../support/serve.ts'

const FLAG = '--max-semi-space-size'
const root = join(import.meta.dirname, '../..')
const place = await makePlace()
afterAll(() => place.remove())

const flags = ({ process: { pid } }: Serving): string[] =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter((word) => word.startsWith(FLAG))

test('a server has little space for young objects, in the very process that was started', async () => {
  const serving = portico(['serve', '--config', place.config])
  await serving.printed(/^ready /m)
  expect(flags(serving)).toEqual([`${FLAG}=8`])
  // signals reach it, for it has the id of what was started
  expect(await serving.stop()).toBe(0)
})

test('an operator who sets the size keeps it', async () => {
  const serving = portico(['serve', '--config', place.config], { env: { NODE_OPTIONS: `${FLAG}=16` } })
  await serving.printed(/^ready /m)
  expect(flags(serving)).toEqual([])
  expect(await serving.stop()).toBe(0)
})

test('as a program of its own the entrance has the flag at once', () => {
  const entrance = join(root, 'src/portico.js')
  expect(readFileSync(entrance, 'utf8').split('\n')[0]).toBe(`#!/usr/bin/env -S node ${FLAG}=8`)
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` }
  const ran = spawnSync(entrance, ['keys', 'list', '--help'], { encoding: 'utf8', env })
  expect(ran.stdout).toMatch(/^portico keys list/)
})
