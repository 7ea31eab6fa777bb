import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { parseArguments } from '../../src/cli/arguments.ts'
import type { Context } from '../../src/cli/verb.ts'
import { devicesVerbs } from '../../src/cli/verbs/devices.ts'
import { sessionsVerbs } from '../../src/cli/verbs/sessions.ts'
import { openHouse } from '../../src/house.ts'
import { about, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
let folder: string
let sam: string
const defaults = loadSettings(undefined, {}).settings!
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-'))
  const settings = { ...defaults, storage: { url: 'sqlite::memory:' } }
  house = await openHouse({ settings, folder, clock: { now: () => START }, log: silentLog })
  sam = (await house.people.add({ username: 'sam', name: 'Sam' }, 'cli')).id
})
afterEach(async () => {
  await house.close()
  rmSync(folder, { recursive: true })
})

async function run(line: string) {
  const out: string[] = []
  const err: string[] = []
  let printed: unknown
  const parsed = parseArguments(line.split(' '), [...sessionsVerbs, ...devicesVerbs])
  if ('wrong' in parsed) return { code: 2, out, err: [parsed.wrong], printed }
  const context = {
    open: async () => house,
    out: (text: string) => out.push(text),
    err: (text: string) => err.push(text),
    print: (value: unknown, human: () => string | readonly string[]) => {
      printed = value
      out.push(...[human()].flat())
    },
  } as unknown as Context
  return { code: await parsed.verb.run(parsed.args, context), out, err, printed }
}

test('sessions list shows the sessions of everybody, or of one person', async () => {
  expect((await run('sessions list')).out).toEqual(['no sessions'])
  const { session } = await house.sessions.start(about(sam))
  await house.sessions.start(about('p-other'))
  expect((await run('sessions list')).printed).toHaveLength(2)
  const { code, out, printed } = await run('sessions list --user SAM')
  expect([code, printed]).toEqual([0, [session]])
  expect(out[0]).toContain(session.id)
  await expect(run('sessions list --user nobody')).rejects.toMatchObject({ code: 'person-unknown' })
})

test('sessions end ends by id, by person, or all; exactly one of them', async () => {
  const start = async (id = sam) => (await house.sessions.start(about(id))).session.id
  const first = await start()
  expect(await run(`sessions end ${first}`)).toMatchObject({ code: 0, printed: { ended: 1 } })
  expect(await run(`sessions end ${first}`)).toMatchObject({ code: 1, printed: { ended: 0 } })
  for (const id of [sam, sam, 'p-other', 'p-other']) await start(id)
  expect(await run('sessions end --user sam')).toMatchObject({ code: 0, printed: { ended: 2 } })
  expect(await run('sessions end --all')).toMatchObject({ code: 0, printed: { ended: 2 } })
  expect(await run('sessions end --all')).toMatchObject({ code: 0, printed: { ended: 0 } })
  expect((await run('sessions end')).code).toBe(2)
  expect((await run('sessions end --all --user sam')).code).toBe(2)
})

test('devices list and revoke work on the devices of one person', async () => {
  const label = 'Firefox on Linux'
  const { device } = await house.devices.remember(undefined, sam, { label, until: START + 86_400_000 })
  await house.devices.remember(undefined, sam, { label })
  const { printed, out } = await run('devices list --user sam')
  expect(printed).toHaveLength(2)
  expect(out.join('\n')).toContain('trusted until 2026-11-23T09:00:00Z')
  expect(await run(`devices revoke ${device.id} --user sam`)).toMatchObject({ code: 0, printed: { revoked: 1 } })
  await expect(run(`devices revoke ${device.id} --user sam`)).rejects.toMatchObject({ code: 'device-unknown' })
  expect(await run('devices revoke --all --user sam')).toMatchObject({ code: 0, printed: { revoked: 1 } })
  expect((await run('devices list --user sam')).out).toEqual(['no devices'])
  expect((await run('devices list')).code).toBe(2)
  expect((await run('devices revoke --user sam')).code).toBe(2)
})
