import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()

test('on a full disk writes are refused, nothing refused is kept, nothing kept was refused, and room brings it back', async () => {
  const url = `sqlite:${join(folder, 'full.db')}`
  const open = () => openStorage({ url, clock: systemClock, log: silentLog, migrations: [] })
  const storage = await open()
  const other = await open()
  const limit = (pages: number) => sql.raw(`pragma max_page_count = ${pages}`).execute(storage.records)
  await limit(60)
  const answered: string[] = []
  const refused: string[] = []
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const key = `k:${round}:${i}`
        try {
          await storage.state.set(key, 'v'.repeat(2000))
          answered.push(key)
        } catch (error) {
          expect(error).toMatchObject({ code: 'storage-unavailable', detail: 'the disk is full' })
          refused.push(key)
        }
      }),
    )
  }
  expect(answered.length).toBeGreaterThan(20)
  expect(refused.length).toBeGreaterThan(20)
  for (const key of answered) expect(await other.state.get(key), key).toBeDefined()
  for (const key of refused) expect(await other.state.get(key), key).toBeUndefined()
  const transaction = storage.records.transaction().execute(async (own) => {
    for (let i = 0; i < 100; i++) {
      await sql`insert into state (k, v) values (${`t:${i}`}, ${'v'.repeat(2000)})`.execute(own).catch(() => {})
    }
  })
  await expect(transaction).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(await other.state.get('t:0')).toBeUndefined()
  await limit(100_000)
  await storage.state.set('again', 'v')
  expect(await other.state.get('again')).toBe('v')
  await storage.close()
  await other.close()
})

test('on a file system that somebody else fills, the same', async ({ skip }) => {
  skip(process.getuid!() !== 0, 'only root mounts a file system of its own')
  const mounted = join(folder, 'small')
  mkdirSync(mounted)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted])
  onTestFinished(() => void execFileSync('umount', ['--lazy', mounted]))
  const url = `sqlite:${join(mounted, 'p.db')}`
  const open = () => openStorage({ url, clock: systemClock, log: silentLog, migrations: [] })
  const storage = await open()
  await storage.state.set('before', 'v')
  try {
    // all that is left
    writeFileSync(join(mounted, 'log-of-somebody'), Buffer.alloc(8_000_000))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  }
  const answered: string[] = []
  const refused: string[] = []
  for (let i = 0; i < 200; i++)
    await storage.state.set(`k:${i}`, 'v'.repeat(3000)).then(
      () => answered.push(`k:${i}`),
      (error) => {
        expect(error).toMatchObject({ code: 'storage-unavailable' })
        refused.push(`k:${i}`)
      },
    )
  expect(refused.length).toBeGreaterThan(20)
  expect(await storage.state.get('before')).toBe('v')
  rmSync(join(mounted, 'log-of-somebody'))
  await storage.state.set('again', 'v')
  await storage.close()
  const anew = await open()
  for (const key of ['before', ...answered, 'again']) expect(await anew.state.get(key), key).toBeDefined()
  for (const key of refused) expect(await anew.state.get(key), key).toBeUndefined()
  await anew.close()
})
