import { hash } from '@node-rs/argon2'
import { expect, test } from 'vitest'
import { createHashing } from '#directory'
import { openHouse, refusalOf } from './house.ts'

test.each([
  ['short', 'seven77'],
  ['long', 'é'.repeat(257)],
  ['common', 'Password123'],
  ['common with something at the end', 'Welkom2026!!'],
  ['common in Russian', 'йцукенгш'],
  ['one character', 'zzzzzzzzzzzz'],
  ['a piece repeated', 'kaki2kaki2kaki2'.slice(0, 15).replaceAll('2', '')],
  ['the user name', 'sam.jansen2026'],
  ['the user name with signs', 'Sam.Jansen!1!'],
  ['the mail address', 'kestrel1!'],
  ['lone surrogates', 'correct \ud800 horse'],
])('a weak password is refused: %s', async (_, password) => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam.jansen', name: 'Sam Jansen', mail: 'sam@kestrel.example' }, 'cli')
  expect(await refusalOf(people.setPassword(sam.id, password, 'cli'))).toBe('password-weak')
  expect(await people.hasPassword(sam.id)).toBe(false)
})

test.each([
  'correct horse',
  'eight ch',
  'ünïcödé wörds',
  'x9$kq2!w',
  'пароль котика',
  '🐦🐧🐤🐣🐥🦆🦅🦉',
  `${'a'.repeat(100)}bcdefgh`,
  'sam.jansen likes green boats',
])('a password without composition rules is taken: %s', async (password) => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam.jansen', name: 'Sam Jansen' }, 'cli')
  await people.setPassword(sam.id, password, 'cli')
  expect(await people.verifyPassword('sam.jansen', password)).toMatchObject({ id: sam.id })
  expect(await people.verifyPassword('sam.jansen', `${password}x`)).toBe('wrong')
})

test('two keyboards that compose differently type the same password', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', password: 'cafe\u0301 con leche' }, 'cli')
  expect(await people.verifyPassword('sam', 'caf\u00e9 con leche')).toMatchObject({ id: sam.id })
})

test('an attempt costs one hash, whoever it is for', async () => {
  const { people, hashing } = await openHouse()
  await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  await people.add({ username: 'no-password', name: 'No Password' }, 'cli')
  const off = await people.add({ username: 'off', name: 'Off', password: 'correct horse' }, 'cli')
  await people.disable(off.id, 'cli')
  const attempts = [
    ['sam', 'correct horse'],
    ['sam', 'wrong horse'],
    ['nobody', 'correct horse'],
    ['no-password', 'correct horse'],
    ['off', 'correct horse'],
    ['off', 'wrong horse'],
    ['not\u0000a name', 'correct horse'],
  ] as const
  for (const [username, password] of attempts) {
    const before = hashing.load().done
    await people.verifyPassword(username, password)
    expect(hashing.load().done - before, username).toBe(1)
  }
})

test('empty and endless passwords are wrong before any hash', async () => {
  const { people, hashing } = await openHouse()
  await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  const before = hashing.load().done
  for (const password of ['', 'x'.repeat(257), 'x'.repeat(5_000_000), '\udc00'])
    expect(await people.verifyPassword('sam', password)).toBe('wrong')
  expect(hashing.load().done).toBe(before)
})

test('passwords are stored as argon2id with 19 MiB and two passes, and an older cost is raised at sign-in', async () => {
  const { people, storage } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  const stored = async () =>
    (await storage.records.selectFrom('passwords').select('phc').executeTakeFirstOrThrow()).phc as string
  expect(await stored()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  const cheap = await hash('correct horse', { memoryCost: 8192, timeCost: 1, parallelism: 1 })
  await storage.records.updateTable('passwords').set({ phc: cheap }).execute()
  expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
  expect(await stored()).toBe(cheap)
  expect(await people.verifyPassword('sam', 'correct horse')).toMatchObject({ id: sam.id })
  expect(await stored()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(await people.verifyPassword('sam', 'correct horse')).toMatchObject({ id: sam.id })
})

test('a damaged hash lets nobody in and costs the same', async () => {
  const { people, storage, hashing } = await openHouse()
  await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  for (const phc of ['', 'plain', '$argon2id$v=19$m=19456,t=2,p=1$AAAA', 'correct horse']) {
    await storage.records.updateTable('passwords').set({ phc }).execute()
    const before = hashing.load().done
    expect(await people.verifyPassword('sam', 'correct horse'), phc).toBe('wrong')
    expect(hashing.load().done - before).toBe(1)
  }
})

test('hashing turns away who finds the line full, says when to come back, and serves all others', async () => {
  const clock = { now: () => 0 }
  const hashing = createHashing({ clock, places: 1, waiting: 3 })
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => hashing.verify(undefined, 'x')))
  expect(results.map((r) => r.status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ])
  expect(results[5]).toMatchObject({ reason: { code: 'overloaded', retryAfter: 2 } })
  expect(hashing.load()).toEqual({ done: 4, running: 0, waiting: 0 })
})

test('an overloaded queue is a refusal, never a wrong password', async () => {
  const { people } = await openHouse(undefined, { waiting: 0 })
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => people.verifyPassword(`nobody-${i}`, 'correct horse')),
  )
  const codes = results.map((r) => (r.status === 'fulfilled' ? r.value : r.reason.code))
  expect(new Set(codes)).toEqual(new Set(['wrong', 'overloaded']))
})
