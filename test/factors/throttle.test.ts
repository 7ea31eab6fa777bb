import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Refusal } from '#core/refusal'
import { openFactors } from '#factors'
import { sourceOf } from '#http'
import { type FactorsHouse, openHouse, PASSWORDS } from './house.ts'

let house: FactorsHouse
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const minutes = (n: number) => n * 60_000
const outside = (n: number) => `203.0.${n >> 8}.${n & 255}`
let addresses = 0
/** A guess from a new address each time, as a botnet does it. */
const guess = (username = 'sam', changes = {}) =>
  house.refusalOf(
    house.factors.verify(
      'password',
      'wrong',
      house.attempt({ personId: undefined, username, address: outside(addresses++), ...changes }),
    ),
  )
const signIn = (changes = {}) =>
  house.refusalOf(
    house.factors.verify(
      'password',
      PASSWORDS['sam']!.password,
      house.attempt({ personId: undefined, address: '192.0.2.9', ...changes }),
    ),
  )

describe('guessing one password', () => {
  test('is over after ten tries, then one try per wait, and the waits grow', async () => {
    const results: [at: number, result: string][] = []
    const start = house.time.now
    for (; house.time.now < start + minutes(15); house.time.now += 1000)
      results.push([house.time.now - start, await guess()])
    const heard = results.filter(([, result]) => result === 'password-wrong').map(([at]) => at / 1000)
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 100, 220, 460])
    expect(house.looked()).toBe(heard.length)
  })

  test('does not begin anew with each quarter of an hour for who never stops', async () => {
    const start = house.time.now
    for (; house.time.now < start + minutes(120); house.time.now += 10_000) await guess()
    expect(house.looked()).toBeLessThan(30)
  })

  test('does not stop the person on a device where they are known', async () => {
    for (let i = 0; i < 40; i++) await guess()
    expect(await signIn()).toBe('throttled')
    expect(await signIn({ knownDevice: true })).toBe('accepted')
  })

  test('is forgotten a quarter of an hour after the last try', async () => {
    for (let i = 0; i < 40; i++) await guess()
    house.time.now += minutes(15)
    expect(await signIn()).toBe('accepted')
  })

  test('from a known device has a limit as well', async () => {
    const results = []
    for (let i = 0; i < 25; i++) results.push(await guess('sam', { knownDevice: true }))
    expect(results.filter((result) => result === 'password-wrong')).toHaveLength(21)
  })

  test('counts all spellings of a name together', async () => {
    const spellings = [
      'sam',
      'SAM',
      ' sam',
      'sam ',
      's\u00e1m',
      'sa\u200bm',
      'ｓａｍ',
      'Sam',
      'sAm',
      'saM',
      '\tsam',
      'sam\u00a0',
    ]
    for (const spelling of spellings) await guess(spelling)
    expect(house.looked()).toBe(11)
  })

  test('answers the same for a name that nobody has', async () => {
    const run = async (username: string) => {
      const answers = []
      for (let i = 0; i < 14; i++) {
        const attempt = house.attempt({ personId: undefined, username, address: outside(addresses++) })
        answers.push(
          await house.factors.verify('password', 'wrong', attempt).catch((e: Refusal) => [e.code, e.retryAfter]),
        )
      }
      return answers
    }
    expect(await run('nobody')).toEqual(await run('sam'))
  })

  test('keeps no name in the store', async () => {
    await guess('somebody-special')
    const rows = await house.storage.records.selectFrom('state').selectAll().execute()
    expect(rows.length).toBeGreaterThan(0)
    expect(JSON.stringify(rows)).not.toContain('somebody-special')
  })
})

describe('what was right', () => {
  test('is given back: any number of sign-ins in a row', async () => {
    for (let i = 0; i < 30; i++) expect(await signIn()).toBe('accepted')
  })

  test('gives back its own count only: somebody else\u2019s guesses stay counted', async () => {
    for (let i = 0; i < 9; i++) await guess()
    expect(await signIn()).toBe('accepted')
    expect(await guess()).toBe('password-wrong')
    expect(await guess()).toBe('password-wrong')
    expect(await guess()).toBe('throttled')
  })

  test('is not counted when nobody looked at it', async () => {
    const factors = openFactors({
      ...house.options,
      verifyPassword: async () => {
        throw new Refusal('directory-unavailable', 'ldap')
      },
    })
    for (let i = 0; i < 30; i++) {
      const tried = factors.verify('password', 'x', house.attempt({ personId: undefined }))
      expect(await house.refusalOf(tried)).toBe('directory-unavailable')
    }
    expect(await signIn()).toBe('accepted')
  })
})

describe('spraying many names from one address', () => {
  const spray = (n: number, changes = {}) => guess(`name-${n}`, { address: '198.51.100.1', ...changes })

  test('is over after a hundred, for new names and right passwords alike, until the window ends', async () => {
    const results = []
    for (let i = 0; i < 105; i++) results.push(await spray(i))
    expect(results.filter((result) => result === 'password-wrong')).toHaveLength(100)
    expect(await signIn({ address: '198.51.100.1' })).toBe('throttled')
    expect(await signIn({ address: '198.51.100.2' })).toBe('accepted')
    house.time.now += minutes(15)
    expect(await signIn({ address: '198.51.100.1' })).toBe('accepted')
  })

  test('sent all at once learns no more than a hundred answers', async () => {
    const results = await Promise.all(Array.from({ length: 300 }, (_, i) => spray(i)))
    expect(results.filter((result) => result !== 'throttled').length).toBeLessThanOrEqual(100)
  })

  test.each(['person-disabled', 'password-expired', 'to-renew'] as const)(
    'an answer that was on its way tells nobody that a password was right, not even one that lets nobody in: %s',
    async (said) => {
      const gate = Promise.withResolvers<void>()
      const factors = openFactors({
        ...house.options,
        async verifyPassword(username: string) {
          if (username !== 'held') return 'wrong'
          await gate.promise
          if (said !== 'to-renew') throw new Refusal(said, 'said by a directory')
          return { toRenew: { id: 'p-held' }, because: 'password-must-change' } as const
        },
      })
      const tried = (username: string, address: string) =>
        house.refusalOf(
          factors.verify('password', 'x', house.attempt({ personId: undefined, username, address, conversation: 'h' })),
        )
      const held = tried('held', '198.51.100.1')
      for (let i = 0; i < 105; i++) await tried(`name-${i}`, '198.51.100.1')
      gate.resolve()
      expect(await held).toBe('throttled')
      // without the limit it is told, does not count, and the operator finds it in the trail
      const code = said === 'to-renew' ? 'password-must-change' : said
      for (let i = 0; i < 15; i++) expect(await tried('held', '198.51.100.2')).toBe(code)
      const trail = (await house.audit.search({ event: 'factor-refused', limit: 200 })).map(({ reason }) => reason)
      expect(trail).toContain(code)
    },
  )

  test('leaves alone who sits behind the same address at a known device, or has a passkey', async () => {
    for (let i = 0; i < 105; i++) await spray(i)
    expect(await signIn({ address: '198.51.100.1', knownDevice: true })).toBe('accepted')
    const { authenticator } = await house.enrolPasskey()
    const answer = authenticator.get(await house.factors.challenge('passkey', { conversation: 'c-1' }))
    const attempt = house.attempt({ personId: undefined, username: undefined, address: '198.51.100.1' })
    expect((await house.factors.verify('passkey', answer, attempt)).personId).toBe('p-sam')
  })

  test('a store full of people who sign in at the same moment is no spraying', async () => {
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        signIn({ address: '198.51.100.1', username: 'sam', conversation: `c-${i}`, knownDevice: i % 40 > 8 }),
      ),
    )
    expect(results.every((result) => result === 'accepted' || result === 'throttled')).toBe(true)
    for (let i = 0; i < 30; i++) expect(await signIn({ address: '198.51.100.1' })).toBe('accepted')
  })
})

test('codes are limited per sign-in and per person over many sign-ins', async () => {
  const tryCode = (conversation: string, changes = {}) =>
    house.refusalOf(
      house.factors.verify(
        'recovery-code',
        '0000-0000-0000-0000',
        house.attempt({ conversation, address: outside(addresses++), ...changes }),
      ),
    )
  const one = []
  for (let i = 0; i < 7; i++) one.push(await tryCode('c-1'))
  expect(one.filter((result) => result === 'code-invalid')).toHaveLength(5)
  const many = []
  for (let i = 2; i < 20; i++) many.push(await tryCode(`c-${i}`))
  expect(many.filter((result) => result === 'code-invalid')).toHaveLength(6)
  expect(await tryCode('c-99', { knownDevice: true })).toBe('code-invalid')
})

test('that an account is locked in its directory is in the trail, and on the page it is a wrong password that counts', async () => {
  const factors = openFactors({ ...house.options, verifyPassword: async () => 'locked' })
  const tried = () => house.refusalOf(factors.verify('password', 'x', house.attempt({ personId: undefined })))
  for (let i = 0; i < 10; i++) expect(await tried()).toBe('password-wrong')
  const [newest] = await house.audit.search({ event: 'factor-refused' })
  expect(newest).toMatchObject({ factor: 'password', reason: 'account-locked' })
  await tried()
  expect(await tried()).toBe('throttled')
})

test('throttling is in the trail once per wait, not once per guess', async () => {
  for (let i = 0; i < 200; i++) await guess()
  const throttled = await house.audit.search({ event: 'factor-throttled' })
  expect(throttled).toHaveLength(1)
})

test('an address is an IPv4 address or an IPv6 network of 64 bits', () => {
  expect(sourceOf('192.0.2.1')).toBe('192.0.2.1')
  expect(sourceOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2')
  expect(sourceOf('2001:0DB8:1:2::1')).toBe('2001:db8:1:2')
  expect(sourceOf('2001:db8::1')).toBe('2001:db8:0:0')
  expect(sourceOf('::1')).toBe('0:0:0:0')
  expect(sourceOf('1::')).toBe('1:0:0:0')
  expect(sourceOf('64:ff9b::192.0.2.1')).toBe('64:ff9b:0:0')
  expect(sourceOf('fe80::1%eth0')).toBe('fe80:0:0:0')
  expect(sourceOf('whatever')).toBe('unknown')
})
