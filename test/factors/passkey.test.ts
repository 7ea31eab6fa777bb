import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Authenticator, createAuthenticator, type Knobs } from '../support/authenticator.ts'
import { type FactorsHouse, ISSUER, openHouse } from './house.ts'

let house: FactorsHouse
let device: Authenticator
let id: string
beforeEach(async () => {
  house = await openHouse()
  const added = await house.enrolPasskey()
  device = added.authenticator
  id = added.id
})
afterEach(() => house.storage.close())

const challenge = (personId?: string, conversation = 'c-1') =>
  house.factors.challenge('passkey', { personId, conversation })
const verify = (answer: unknown, changes = {}) => house.factors.verify('passkey', answer, house.attempt(changes))
const reasons = async () => (await house.audit.search({ event: 'factor-refused' })).map((entry) => entry.reason)

describe('registration', () => {
  test('asks for a discoverable passkey with user verification, no attestation, three algorithms', async () => {
    const options = (await house.factors.beginEnrolment('passkey', house.about())) as Record<string, unknown>
    expect(options).toMatchObject({
      rp: { id: 'id.kestrel.example', name: 'Kestrel Mobile' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: [{ id: device.credentials[0]!.id }],
    })
    expect((options['pubKeyCredParams'] as { alg: number }[]).map((p) => p.alg)).toEqual([-7, -8, -257])
    expect(JSON.stringify(options['user'])).not.toContain('p-sam')
  })

  test('keeps what the authenticator said about backup, and proves the factor', async () => {
    const bound = createAuthenticator({ rpId: 'id.kestrel.example', origin: ISSUER, synced: false })
    const added = await house.enrolPasskey('p-kim', bound)
    expect(added.proof).toMatchObject({
      factor: 'passkey',
      hardware: true,
      userVerified: true,
      amr: ['hwk', 'user', 'mfa'],
    })
    expect((await house.factors.enrolled('p-kim')).at(-1)).toMatchObject({ kind: 'passkey', backedUp: false })
    expect((await house.factors.enrolled('p-sam')).at(-1)).toMatchObject({ kind: 'passkey', backedUp: true })
  })

  const wrong: [string, Knobs, string][] = [
    ['another origin', { origin: 'https://id.kestrel.example.evil.example' }, 'origin-not-ours'],
    ['a port more', { origin: `${ISSUER}:8443` }, 'origin-not-ours'],
    ['another relying party', { rpId: 'kestrel.example' }, 'response-refused'],
    ['another challenge', { challenge: Buffer.alloc(32).toString('base64url') }, 'response-refused'],
    ['an answer to a sign-in', { type: 'webauthn.get' }, 'response-refused'],
    ['a frame of another site', { crossOrigin: true }, 'cross-origin'],
    ['no user verification', { userVerified: false }, 'response-refused'],
    ['nobody present', { userPresent: false }, 'response-refused'],
    ['backed up without being able to', { backupEligible: false, backedUp: true }, 'response-refused'],
    [
      'a certificate nobody asked for',
      {
        attestation: {
          format: 'packed',
          statement: new Map<string, unknown>([
            ['alg', -7],
            ['sig', Buffer.alloc(70)],
            ['x5c', [Buffer.alloc(100)]],
          ]),
        },
      },
      'attestation-unasked',
    ],
    [
      'an attestation with revocation lists',
      { attestation: { format: 'apple', statement: new Map([['x5c', [Buffer.alloc(100)]]]) } },
      'attestation-unasked',
    ],
    [
      'an attestation that is none and has a statement',
      { attestation: { format: 'none', statement: new Map([['x', 1]]) } },
      'response-refused',
    ],
  ]
  test.each(wrong)('refuses %s, and the challenge is spent', async (_name, knobs, reason) => {
    const about = house.about('p-kim')
    const options = await house.factors.beginEnrolment('passkey', about)
    const finish = (answer: unknown) => house.refusalOf(house.factors.finishEnrolment('passkey', answer, about))
    expect(await finish(device.create(options, knobs))).toBe('passkey-invalid')
    expect(await reasons()).toEqual([reason])
    expect(await finish(device.create(options))).toBe('enrolment-expired')
    expect((await house.factors.enrolled('p-kim')).map((factor) => factor.kind)).toEqual(['password'])
  })

  test('refuses a credential that somebody has already', async () => {
    const about = house.about('p-kim')
    const options = await house.factors.beginEnrolment('passkey', about)
    const answer = device.create(options, { credentialId: device.credentials[0]!.id })
    expect(await house.refusalOf(house.factors.finishEnrolment('passkey', answer, about))).toBe('passkey-invalid')
    expect(await reasons()).toEqual(['credential-known'])
  })

  test('needs the conversation and the person it was begun for', async () => {
    const options = await house.factors.beginEnrolment('passkey', house.about('p-kim', 'c-1'))
    const finish = (personId: string, conversation: string) =>
      house.refusalOf(house.factors.finishEnrolment('passkey', device.create(options), { personId, conversation }))
    expect(await finish('p-kim', 'c-2')).toBe('enrolment-expired')
    expect(await finish('p-sam', 'c-1')).toBe('enrolment-expired')
    expect(await finish('p-kim', 'c-1')).toBe('accepted')
  })

  test('of 50 parallel answers to one challenge adds one passkey', async () => {
    const about = house.about('p-kim')
    const answer = device.create(await house.factors.beginEnrolment('passkey', about))
    const results = await Promise.all(
      Array.from({ length: 50 }, () => house.refusalOf(house.factors.finishEnrolment('passkey', answer, about))),
    )
    expect(results.filter((result) => result === 'accepted')).toHaveLength(1)
  })
})

describe('signing in', () => {
  test('finds the person by the passkey alone, as autofill needs it', async () => {
    const options = (await challenge()) as Record<string, unknown>
    expect(options).toMatchObject({ rpId: 'id.kestrel.example', userVerification: 'required' })
    expect(options['allowCredentials']).toBeUndefined()
    const { personId, proof } = await verify(device.get(options), { personId: undefined, username: undefined })
    expect(personId).toBe('p-sam')
    expect(proof).toEqual({
      factor: 'passkey',
      at: house.time.now,
      amr: ['swk', 'user', 'mfa'],
      userVerified: true,
      hardware: false,
      credential: id,
    })
  })

  test('with a person offers the passkeys of that person', async () => {
    expect(await challenge('p-sam')).toMatchObject({ allowCredentials: [{ id: device.credentials[0]!.id }] })
  })

  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const wrong: [string, Knobs, string][] = [
    ['another origin', { origin: 'https://id.kestrel.example.evil.example' }, 'origin-not-ours'],
    ['plain http', { origin: 'http://id.kestrel.example' }, 'origin-not-ours'],
    ['another relying party', { rpId: 'evil.example' }, 'response-refused'],
    ['a challenge that nobody gave', { challenge: Buffer.alloc(48, 255).toString('base64url') }, 'challenge-unknown'],
    ['a challenge that is too short', { challenge: Buffer.alloc(32).toString('base64url') }, 'challenge-unknown'],
    ['a challenge that is part of a key', { challenge: '../x:y' }, 'challenge-unknown'],
    ['an answer to a registration', { type: 'webauthn.create' }, 'response-refused'],
    ['a frame of another site', { crossOrigin: true }, 'cross-origin'],
    ['no user verification', { userVerified: false }, 'response-refused'],
    ['nobody present', { userPresent: false }, 'response-refused'],
    ['the signature of another key', { key: other }, 'response-refused'],
    ['a credential nobody has', { credentialId: Buffer.alloc(32).toString('base64url') }, 'credential-unknown'],
    [
      'a credential id in another spelling',
      { credentialId: `${Buffer.alloc(32).toString('base64url')}=` },
      'input-invalid',
    ],
    ['the handle of another person', { userHandle: Buffer.alloc(32).toString('base64url') }, 'user-handle'],
    ['no handle where nobody was named', { userHandle: undefined }, 'user-handle'],
    ['a key that can suddenly be copied no more', { backupEligible: false }, 'backup-eligibility-changed'],
  ]
  test.each(wrong)('refuses %s, and the challenge is spent', async (_name, knobs, reason) => {
    const options = await challenge()
    const anybody = { personId: undefined, username: undefined }
    expect(await house.refusalOf(verify(device.get(options, knobs), anybody))).toBe('passkey-invalid')
    expect(await reasons()).toEqual([reason])
    if (knobs.challenge !== undefined || reason === 'input-invalid') return
    expect(await house.refusalOf(verify(device.get(options), anybody))).toBe('passkey-invalid')
  })

  test('needs the conversation in which it was asked for', async () => {
    const options = await challenge(undefined, 'c-1')
    expect(await house.refusalOf(verify(device.get(options), { conversation: 'c-2' }))).toBe('passkey-invalid')
    expect(await house.refusalOf(verify(device.get(options), { conversation: 'c-1' }))).toBe('accepted')
  })

  test('lets several tabs of one conversation each have their challenge', async () => {
    const [first, second] = [await challenge(), await challenge()]
    expect(await house.refusalOf(verify(device.get(second)))).toBe('accepted')
    expect(await house.refusalOf(verify(device.get(first)))).toBe('accepted')
  })

  test('is over after fifteen minutes', async () => {
    const options = await challenge()
    house.time.now += 15 * 60_000
    expect(await house.refusalOf(verify(device.get(options)))).toBe('passkey-invalid')
  })

  test('writes nothing down before there is an answer, and for an invented challenge not even then', async () => {
    const written = () => house.rows('factor-')
    const before = await written()
    const options = (await challenge()) as { challenge: string }
    await challenge('p-sam')
    expect(await written()).toBe(before)
    const bytes = Buffer.from(options.challenge, 'base64url')
    for (const at of [0, 5, 6, 23, 24, 47]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      const answer = device.get(options, { challenge: changed.toString('base64url') })
      expect(await house.refusalOf(verify(answer))).toBe('passkey-invalid')
    }
    expect(await written()).toBe(before)
    expect(await house.refusalOf(verify(device.get(options)))).toBe('accepted')
    expect(await written()).toBe(before + 1)
  })

  test('does not take the same challenge in other letters, nor a second time after the clock went back', async () => {
    const options = (await challenge()) as { challenge: string }
    const again = (text: string) => house.refusalOf(verify(device.get(options, { challenge: text })))
    expect(await again(`${options.challenge}=`)).toBe('passkey-invalid')
    expect(await again(options.challenge.replace(/[-_]/g, (sign) => (sign === '-' ? '+' : '/')).concat('A'))).toBe(
      'passkey-invalid',
    )
    expect(await again(options.challenge)).toBe('accepted')
    house.time.now -= 60_000
    expect(await again(options.challenge)).toBe('passkey-invalid')
  })

  test('does not take the answer of a registration, nor the challenge of one', async () => {
    const options = await house.factors.beginEnrolment('passkey', house.about())
    expect(await house.refusalOf(verify(device.get(options)))).toBe('passkey-invalid')
  })

  test('dies with the person', async () => {
    const options = await challenge('p-sam')
    await house.factors.removeAll('p-sam', 'admin')
    await house.enrolPasskey('p-sam', device)
    const last = device.credentials.at(-1)!
    expect(await house.refusalOf(verify(device.get(options, { credential: last })))).toBe('passkey-invalid')
    expect(await reasons()).toEqual(['challenge-unknown'])
  })
})

describe('the signature counter', () => {
  const use = async (counter: number) => house.refusalOf(verify(device.get(await challenge(), { counter })))

  test('must go up: a copy of the key that stands still or goes back is refused and in the trail', async () => {
    expect(await use(7)).toBe('accepted')
    for (const stale of [7, 6, 1, 0]) expect(await use(stale)).toBe('passkey-invalid')
    expect(await reasons()).toEqual(Array(4).fill('counter-went-back'))
    expect(await use(8)).toBe('accepted')
  })

  test('of two answers with the same count at the same moment lets one in', async () => {
    const answers = await Promise.all([challenge(), challenge()])
    const results = await Promise.all(
      answers.map((options) => house.refusalOf(verify(device.get(options, { counter: 5 })))),
    )
    expect(results.sort()).toEqual(['accepted', 'passkey-invalid'])
  })

  test('may stay at 0 for authenticators that do not count', async () => {
    for (let i = 0; i < 3; i++) expect(await use(0)).toBe('accepted')
  })

  test('is believed only under a good signature', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const options = await challenge()
    await house.refusalOf(verify(device.get(options, { counter: 4_000_000_000, key: privateKey })))
    expect(await use(1)).toBe('accepted')
  })
})

describe('the last way to sign in', () => {
  test('stays, as long as the person has no password', async () => {
    house.withPassword.delete('p-sam')
    expect(await house.refusalOf(house.factors.remove('p-sam', id, 'p-sam'))).toBe('last-factor')
    house.withPassword.add('p-sam')
    expect(await house.refusalOf(house.factors.remove('p-sam', id, 'p-sam'))).toBe('accepted')
  })

  test('stays when two tabs each remove one of the last two', async () => {
    house.withPassword.delete('p-sam')
    const second = await house.enrolPasskey('p-sam')
    const results = await Promise.all(
      [id, second.id].map((one) => house.refusalOf(house.factors.remove('p-sam', one, 'p-sam'))),
    )
    expect(results.sort()).toEqual(['accepted', 'last-factor'])
  })
})
