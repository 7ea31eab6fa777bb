/** What every factor holds, whatever its mathematics: one harness per member of `kinds/list.ts`. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FactorKind } from '#factors'
import { LIMITS } from '#factors'
import { type FactorsHouse, openHouse, PASSWORDS } from '../factors/house.ts'
import type { Authenticator } from '../support/authenticator.ts'
import { totpCode } from '../support/totp.ts'

interface Harness {
  readonly kind: FactorKind
  readonly wrongCode: string
  /** How many wrong answers are listened to at most before the next one is throttled. */
  readonly tries: number
  /** Whether one right answer is good once only. */
  readonly once: boolean
  enrol(personId: string): Promise<string>
  right(personId: string, conversation?: string): Promise<unknown>
  wrong(personId: string, conversation?: string): Promise<unknown>
}

const HARNESSES: Record<FactorKind, (house: FactorsHouse) => Harness> = {
  password: ({ withPassword }) => ({
    kind: 'password',
    wrongCode: 'password-wrong',
    tries: LIMITS['password-unknown-device'].tries + 1,
    once: false,
    enrol: async (personId) => {
      withPassword.add(personId)
      return 'password'
    },
    right: async (personId) => Object.values(PASSWORDS).find((person) => person.id === personId)!.password,
    wrong: async () => 'not-the-password',
  }),
  passkey: (house) => {
    const { factors } = house
    const devices = new Map<string, Authenticator>()
    const answer = async (personId: string, conversation: string, knobs = {}) => {
      const options = await factors.challenge('passkey', { personId, conversation })
      return devices.get(personId)!.get(options, knobs)
    }
    return {
      kind: 'passkey',
      wrongCode: 'passkey-invalid',
      tries: LIMITS['passkey-address'].tries,
      once: true,
      async enrol(personId) {
        const { id, authenticator } = await house.enrolPasskey(personId)
        devices.set(personId, authenticator)
        return id
      },
      right: (personId, conversation = 'c-1') => answer(personId, conversation),
      wrong: (personId, conversation = 'c-1') => answer(personId, conversation, { userVerified: false }),
    }
  },
  totp: ({ factors, time }) => {
    const secrets = new Map<string, string>()
    return {
      kind: 'totp',
      wrongCode: 'code-invalid',
      tries: LIMITS['code-conversation'].tries,
      once: true,
      async enrol(personId) {
        const about = { personId, username: 'x', name: 'X', conversation: 'enrol' }
        const { secret } = (await factors.beginEnrolment('totp', about)) as { secret: string }
        secrets.set(personId, secret)
        const { id } = await factors.finishEnrolment('totp', totpCode(secret, time.now), about)
        time.now += 30_000
        return id
      },
      right: async (personId) => totpCode(secrets.get(personId)!, time.now),
      async wrong(personId) {
        const right = [-1, 0, 1].map((step) => totpCode(secrets.get(personId)!, time.now + step * 30_000))
        return ['000000', '000001', '000002', '000003'].find((code) => !right.includes(code))!
      },
    }
  },
  'recovery-code': ({ factors }) => {
    const codes = new Map<string, string[]>()
    return {
      kind: 'recovery-code',
      wrongCode: 'code-invalid',
      tries: LIMITS['code-conversation'].tries,
      once: true,
      async enrol(personId) {
        const added = await factors.finishEnrolment('recovery-code', {}, { personId, conversation: 'enrol' })
        codes.set(personId, [...added.codes!])
        return added.id
      },
      right: async (personId) => codes.get(personId)!.at(-1)!,
      wrong: async () => '0000-0000-0000-0000',
    }
  },
}

describe.each(Object.keys(HARNESSES) as FactorKind[])('the factor %s', (kind) => {
  let house: FactorsHouse
  let harness: Harness
  let id: string
  const verify = (input: unknown, changes: Parameters<FactorsHouse['attempt']>[0] = {}) =>
    house.factors.verify(kind, input, house.attempt(changes))

  beforeEach(async () => {
    house = await openHouse()
    harness = HARNESSES[kind](house)
    id = await harness.enrol('p-sam')
  })
  afterEach(() => house.storage.close())

  test('stands in the list, and its description says what it is made of', () => {
    expect(house.factors.kinds.map((description) => description.kind)).toContain(kind)
    const { of, amr } = house.factors.kinds.find((description) => description.kind === kind)!
    expect(of.length).toBeGreaterThan(0)
    expect(amr.length).toBeGreaterThan(0)
  })

  test('once enrolled is listed for that person only', async () => {
    expect(await house.factors.enrolled('p-sam')).toContainEqual(expect.objectContaining({ id, kind }))
    expect((await house.factors.enrolled('p-nobody')).filter((factor) => factor.kind === kind)).toEqual([])
  })

  test('is enrolled, challenged and verified: the proof has its time and what RFC 8176 calls it', async () => {
    const { personId, proof } = await verify(await harness.right('p-sam'))
    expect(personId).toBe('p-sam')
    expect(proof).toMatchObject({ factor: kind, at: house.time.now })
    const { amr } = house.factors.kinds.find((description) => description.kind === kind)!
    expect(amr).toEqual(expect.arrayContaining([...proof.amr]))
    expect(await house.events(kind)).toContain('factor-verified')
  })

  test('refuses a wrong answer with its code, and the trail has a reason', async () => {
    expect(await house.refusalOf(verify(await harness.wrong('p-sam')))).toBe(harness.wrongCode)
    const [refused] = await house.audit.search({ event: 'factor-refused' })
    expect(refused).toMatchObject({ factor: kind, subject: 'p-sam', reason: expect.stringMatching(/^[a-z-]+$/) })
  })

  test.each([
    [undefined],
    [null],
    [0],
    [''],
    [[]],
    [{}],
    ['\u0000'],
    [{ code: 5, password: [] }],
    ['9'.repeat(5000)],
    [{ id: 'x', rawId: 'x', type: 'public-key', response: null }],
    [
      {
        id: 'QQ',
        rawId: 'QQ',
        type: 'public-key',
        response: { clientDataJSON: 'e30', authenticatorData: 'QQ', signature: 'QQ' },
      },
    ],
  ])('refuses %j, which is no answer at all, in the same way', async (input) => {
    expect(await house.refusalOf(verify(input))).toBe(harness.wrongCode)
  })

  test('refuses the answer of another person', async () => {
    await harness.enrol('p-kim')
    const others = await harness.right('p-kim')
    expect(await house.refusalOf(verify(others, { personId: 'p-sam', username: 'kim' }))).toBe(harness.wrongCode)
    expect((await verify(await harness.right('p-kim'), { personId: 'p-kim', username: 'kim' })).personId).toBe('p-kim')
  })

  test('accepts one of 50 parallel copies of a one-time answer, and none later', async () => {
    if (!harness.once) return
    const answer = await harness.right('p-sam')
    const results = await Promise.all(Array.from({ length: 50 }, () => house.refusalOf(verify(answer))))
    expect(results.filter((result) => result === 'accepted')).toHaveLength(1)
    house.time.now += 16 * 60_000
    expect(await house.refusalOf(verify(answer, { conversation: 'c-2' }))).toBe(harness.wrongCode)
  })

  test('listens to so many wrong answers and then to none, not even a right one, until time has passed', async () => {
    const answers = []
    for (let i = 0; i < harness.tries + 5; i++)
      answers.push(await house.refusalOf(verify(await harness.wrong('p-sam'))))
    expect(answers.slice(0, harness.tries)).toEqual(Array(harness.tries).fill(harness.wrongCode))
    expect(answers.slice(harness.tries)).toEqual(Array(5).fill('throttled'))
    const refused = verify(await harness.right('p-sam'))
    await expect(refused).rejects.toMatchObject({ code: 'throttled', retryAfter: expect.any(Number) })
    expect(await house.events(kind)).toContain('factor-throttled')
    house.time.now += 15 * 60_000
    expect(await house.refusalOf(verify(await harness.right('p-sam')))).toBe('accepted')
  })

  test('counts wrong answers that come at the same moment', async () => {
    const answers = await Promise.all(
      Array.from({ length: harness.tries * 2 }, async () => house.refusalOf(verify(await harness.wrong('p-sam')))),
    )
    expect(answers.filter((answer) => answer === harness.wrongCode).length).toBeLessThanOrEqual(harness.tries)
    expect(answers).toContain('throttled')
  })

  test('is removed for its person and by nobody else, and then proves nothing', async () => {
    if (kind === 'password') return
    house.withPassword.add('p-sam')
    expect(await house.refusalOf(house.factors.remove('p-kim', id, 'p-kim'))).toBe('factor-unknown')
    const answer = await harness.right('p-sam')
    await house.factors.remove('p-sam', id, 'p-sam')
    expect(await house.refusalOf(verify(answer))).toBe(harness.wrongCode)
    expect((await house.factors.enrolled('p-sam')).filter((factor) => factor.kind === kind)).toEqual([])
    expect(await house.events(kind)).toContain('factor-removed')
  })

  test('goes with everything else when all factors of a person are removed', async () => {
    if (kind === 'password') return
    expect(await house.factors.removeAll('p-sam', 'admin')).toBe(1)
    expect((await house.factors.enrolled('p-sam')).filter((factor) => factor.kind === kind)).toEqual([])
  })

  test('goes to whom its person becomes, works for nobody else, and going there again changes nothing', async () => {
    if (kind === 'password') return
    for (let i = 0; i < 2; i++) await house.factors.move('p-sam', 'p-one', 'admin', house.storage.records)
    const answer = await harness.right('p-sam')
    expect(await house.refusalOf(verify(answer))).toBe(harness.wrongCode)
    expect(await house.factors.enrolled('p-one')).toMatchObject([{ id, kind }])
    const again = await harness.right('p-sam', 'c-2')
    const { personId } = await verify(again, { personId: 'p-one', conversation: 'c-2' })
    expect(personId).toBe('p-one')
    // and once more, from there
    await house.factors.move('p-one', 'p-two', 'admin', house.storage.records)
    expect(await house.factors.enrolled('p-two')).toMatchObject([{ id, kind }])
    expect((await house.factors.enrolled('p-one')).filter((factor) => factor.kind === kind)).toEqual([])
  })
})

test('every kind in the list has a harness here', async () => {
  const house = await openHouse()
  expect(house.factors.kinds.map((description) => description.kind).sort()).toEqual(Object.keys(HARNESSES).sort())
  await house.storage.close()
})
