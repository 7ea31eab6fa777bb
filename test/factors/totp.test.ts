import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { base32, crockford, readCrockford } from '../../src/factors/base32.ts'
import { hotp, stepAt } from '../../src/factors/kinds/totp.ts'
import { base32Bytes, totpCode } from '../support/totp.ts'
import { type FactorsHouse, openHouse } from './house.ts'

describe('RFC 6238 appendix B', () => {
  const secret = Buffer.from('12345678901234567890')
  test.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('at %i s the code is %s', (at, code) => {
    expect(hotp(secret, stepAt(at * 1000), 8)).toBe(code)
    expect(hotp(secret, stepAt(at * 1000))).toBe(code.slice(2))
  })
})

test('base32 has the vectors of RFC 4648 section 10', () => {
  const vectors = {
    '': '',
    f: 'MY',
    fo: 'MZXQ',
    foo: 'MZXW6',
    foob: 'MZXW6YQ',
    fooba: 'MZXW6YTB',
    foobar: 'MZXW6YTBOI',
  }
  for (const [text, encoded] of Object.entries(vectors)) expect(base32(Buffer.from(text))).toBe(encoded)
  expect(base32Bytes(base32(Buffer.from('any bytes at all')))).toEqual(Buffer.from('any bytes at all'))
})

test('Crockford codes are read as people type them', () => {
  expect(readCrockford(' o1il-abcd\u2013ef ')).toBe('0111ABCDEF')
  expect(crockford(Buffer.from([0xff, 0, 0xff, 0, 0xff]))).toBe('ZW0FY07Z')
})

describe('TOTP', () => {
  let house: FactorsHouse
  let secret: string
  const enrol = async (personId = 'p-sam') => {
    const about = house.about(personId)
    const options = (await house.factors.beginEnrolment('totp', about)) as { secret: string; uri: string }
    await house.factors.finishEnrolment('totp', totpCode(options.secret, house.time.now), {
      ...about,
      label: 'My phone',
    })
    return options.secret
  }
  const verify = (code: string, conversation = 'c-1') =>
    house.refusalOf(house.factors.verify('totp', code, house.attempt({ conversation })))
  beforeEach(async () => {
    house = await openHouse()
    secret = await enrol()
    house.time.now += 60_000
  })
  afterEach(() => house.storage.close())

  test('accepts the step before and the step after, and none further away', async () => {
    const at = house.time.now
    expect(await verify(totpCode(secret, at - 60_000))).toBe('code-invalid')
    expect(await verify(totpCode(secret, at + 60_000))).toBe('code-invalid')
    expect(await verify(totpCode(secret, at - 30_000))).toBe('accepted')
    expect(await verify(totpCode(secret, at))).toBe('accepted')
    expect(await verify(totpCode(secret, at + 30_000))).toBe('accepted')
  })

  test('accepts no step twice, and none older than one it has accepted', async () => {
    const at = house.time.now
    expect(await verify(totpCode(secret, at))).toBe('accepted')
    expect(await verify(totpCode(secret, at))).toBe('code-invalid')
    expect(await verify(totpCode(secret, at - 30_000))).toBe('code-invalid')
    expect((await house.audit.search({ event: 'factor-refused' })).map((e) => e.reason)).toEqual([
      'code-used',
      'code-used',
    ])
  })

  test('reads the code in groups, with blanks', async () => {
    const code = totpCode(secret, house.time.now)
    expect(await verify(` ${code.slice(0, 3)} ${code.slice(3)} `)).toBe('accepted')
  })

  test('lists the authenticator under its label with the time of its last use', async () => {
    await verify(totpCode(secret, house.time.now))
    const [totp] = (await house.factors.enrolled('p-sam')).filter((factor) => factor.kind === 'totp')
    expect(totp).toMatchObject({ label: 'My phone', lastUsedAt: house.time.now })
  })

  test('keeps the secret sealed, bound to its record', async () => {
    const bytes = base32Bytes(secret)
    const rows = await house.storage.records.selectFrom('factor_totps').selectAll().execute()
    const stored = JSON.stringify(rows)
    expect(rows).toHaveLength(1)
    for (const form of [
      bytes.toString('base64url'),
      bytes.toString('base64'),
      bytes.toString('hex'),
      secret.replaceAll(' ', ''),
    ])
      expect(stored).not.toContain(form)
    await house.storage.records.updateTable('factor_totps').set({ id: 'another' }).execute()
    await expect(house.factors.verify('totp', totpCode(secret, house.time.now), house.attempt())).rejects.toThrow()
  })

  describe('enrolment', () => {
    test('gives an address that apps understand and the secret to type', async () => {
      const { uri, secret } = (await house.factors.beginEnrolment('totp', {
        ...house.about('p-kim'),
        username: 'kim & co',
      })) as { uri: string; secret: string }
      const url = new URL(uri)
      expect(uri.startsWith('otpauth://totp/Kestrel%20Mobile:kim%20%26%20co?')).toBe(true)
      expect(Object.fromEntries(url.searchParams)).toEqual({
        secret,
        issuer: 'Kestrel Mobile',
        algorithm: 'SHA1',
        digits: '6',
        period: '30',
      })
      expect(secret).toMatch(/^[A-Z2-7]{32}$/)
      expect(base32Bytes(secret)).toHaveLength(20)
    })

    test('needs a code of the new secret, forgives a typing mistake, and stops after five', async () => {
      const about = house.about('p-kim')
      const finish = (code: string) => house.refusalOf(house.factors.finishEnrolment('totp', code, about))
      const { secret } = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
      expect(await finish('')).toBe('code-invalid')
      expect((await house.factors.enrolled('p-kim')).filter((factor) => factor.kind === 'totp')).toEqual([])
      expect(await finish(totpCode(secret, house.time.now))).toBe('accepted')
      expect(await finish(totpCode(secret, house.time.now))).toBe('enrolment-expired')

      const second = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
      for (let i = 0; i < 5; i++) expect(await finish('12345')).toBe('code-invalid')
      expect(await finish(totpCode(second.secret, house.time.now))).toBe('enrolment-expired')
    })

    test('shows the same secret again to who reloads, and another in another conversation', async () => {
      const begin = async (conversation: string) =>
        (await house.factors.beginEnrolment('totp', house.about('p-kim', conversation))) as { secret: string }
      const { secret } = await begin('c-1')
      expect((await begin('c-1')).secret).toBe(secret)
      expect((await begin('c-2')).secret).not.toBe(secret)
      expect(
        await house.refusalOf(
          house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), house.about('p-kim', 'c-3')),
        ),
      ).toBe('enrolment-expired')
      expect(
        await house.refusalOf(
          house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), house.about('p-sam', 'c-1')),
        ),
      ).toBe('enrolment-expired')
    })

    test('is over after ten minutes, and when the factors of the person are removed', async () => {
      const about = house.about('p-kim')
      const { secret } = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
      house.time.now += 10 * 60_000
      expect(
        await house.refusalOf(house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), about)),
      ).toBe('enrolment-expired')
      await house.factors.beginEnrolment('totp', about)
      await house.factors.removeAll('p-kim', 'admin')
      expect(
        await house.refusalOf(house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), about)),
      ).toBe('enrolment-expired')
    })

    test('proves the factor and spends the code that proved it', async () => {
      const about = house.about('p-kim')
      const { secret } = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
      const code = totpCode(secret, house.time.now)
      const { id, proof } = await house.factors.finishEnrolment('totp', code, about)
      expect(proof).toEqual({ factor: 'totp', at: house.time.now, amr: ['otp'], credential: id })
      const attempt = house.attempt({ personId: 'p-kim', username: 'kim' })
      expect(await house.refusalOf(house.factors.verify('totp', code, attempt))).toBe('code-invalid')
    })

    test('stops at five authenticators', async () => {
      for (let i = 0; i < 5; i++) await enrol('p-kim')
      expect(await house.refusalOf(house.factors.beginEnrolment('totp', house.about('p-kim')))).toBe('factors-full')
    })
  })
})
