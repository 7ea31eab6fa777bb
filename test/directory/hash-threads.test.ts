/** The threads of a server that compute hashes: they step back, they are replaced, and they end with it. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { createHashing } from '#directory'

const threads = () => readdirSync('/proc/self/task')
/** Field 19 of `/proc/…/stat`, counted behind the name, which may have spaces. */
const niceOf = (id: string) =>
  Number(
    readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[16],
  )

const before = new Set(threads())
const hashing = createHashing({ clock: systemClock, places: 2, ownThreads: true })
afterAll(() => hashing.close())
const own = () => threads().filter((id) => !before.has(id) && niceOf(id) === 10)

test('none is there before the first password; then as many as hashes at once, at a priority below everything else', async () => {
  expect(own()).toHaveLength(0)
  const phc = await hashing.hash('correct horse')
  expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(own()).toHaveLength(1)
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, i) => hashing.verify(phc, i % 2 ? 'correct horse' : 'wrong horse')),
  )
  expect(answers).toEqual([false, true, false, true, false, true])
  expect(own()).toHaveLength(2)
  // whoever answers people goes on as before
  expect(niceOf(String(process.pid))).toBeLessThan(10)
})

test('what is no hash is nobody, at the same cost, and costs no thread', async () => {
  for (let i = 0; i < 5; i++) expect(await hashing.verify('plain', 'correct horse')).toBe(false)
  expect(own()).toHaveLength(2)
})

test('they end with the server, and whoever still asks is not let in', async () => {
  const phc = await hashing.hash('correct horse')
  const waiting = hashing.verify(phc, 'correct horse')
  const refused = expect(waiting).rejects.toThrow('no hash')
  await hashing.close()
  await refused
  expect(own()).toHaveLength(0)
  // one that ended is replaced
  expect(await hashing.verify(phc, 'correct horse')).toBe(true)
  expect(own()).toHaveLength(1)
})
