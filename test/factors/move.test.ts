/** Two people become one: what is one of a kind stays the survivor's, and a passkey goes on as whom it was made for. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { totpCode } from '../support/totp.ts'
import { type FactorsHouse, openHouse } from './house.ts'

let house: FactorsHouse
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const move = () => house.factors.move('p-sam', 'p-kim', 'admin', house.storage.records)
const kinds = async (personId: string) => (await house.factors.enrolled(personId)).map(({ kind }) => kind).sort()

async function enrolTotp(personId: string): Promise<string> {
  const { secret } = (await house.factors.beginEnrolment('totp', house.about(personId))) as { secret: string }
  await house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), house.about(personId))
  house.time.now += 30_000
  return secret
}

test('the authenticator app of the survivor is the only one, and the trail says that the other went', async () => {
  const [gone, kept] = [await enrolTotp('p-sam'), await enrolTotp('p-kim')]
  await move()
  expect(await kinds('p-kim')).toEqual(['password', 'totp'])
  const tried = (secret: string) =>
    house.refusalOf(
      house.factors.verify('totp', totpCode(secret, house.time.now), house.attempt({ personId: 'p-kim' })),
    )
  expect(await tried(gone)).toBe('code-invalid')
  expect(await tried(kept)).toBe('accepted')
  expect(await house.audit.search({ event: 'factor-removed' })).toMatchObject([
    { actor: 'admin', subject: 'p-kim', factor: 'totp', count: 1 },
  ])
})

test('recovery codes of two people are never mixed: those of the survivor stay', async () => {
  const codes = async (personId: string) =>
    (await house.factors.finishEnrolment('recovery-code', {}, { personId, conversation: 'c' })).codes!
  const [gone, kept] = [await codes('p-sam'), await codes('p-kim')]
  await move()
  const tried = (code: string) =>
    house.refusalOf(house.factors.verify('recovery-code', code, house.attempt({ personId: 'p-kim' })))
  expect(await tried(gone[0]!)).toBe('code-invalid')
  expect(await tried(kept[0]!)).toBe('accepted')
  expect(await house.factors.enrolled('p-kim')).toContainEqual(
    expect.objectContaining({ kind: 'recovery-code', left: 9 }),
  )
  expect(await kinds('p-sam')).toEqual(['password'])
})

test('recovery codes that came along die when new ones are made', async () => {
  const about = { personId: 'p-sam', conversation: 'c' }
  const { codes } = await house.factors.finishEnrolment('recovery-code', {}, about)
  await move()
  const tried = (code: string) =>
    house.refusalOf(house.factors.verify('recovery-code', code, house.attempt({ personId: 'p-kim' })))
  expect(await tried(codes![0]!)).toBe('accepted')
  const fresh = await house.factors.finishEnrolment('recovery-code', {}, { ...about, personId: 'p-kim' })
  expect(await tried(codes![1]!)).toBe('code-invalid')
  expect(await tried(fresh.codes![0]!)).toBe('accepted')
})

test('a passkey without a user name answers as whom it was made for, and only as that one', async () => {
  const { authenticator } = await house.enrolPasskey('p-sam')
  const { authenticator: other } = await house.enrolPasskey('p-kim')
  await move()
  const answer = async (userHandle: string) => {
    const options = await house.factors.challenge('passkey', { conversation: 'c-1' })
    const { personId: _person, ...nobody } = house.attempt()
    return house.factors.verify('passkey', authenticator.get(options, { userHandle }), nobody)
  }
  expect((await answer(authenticator.credentials[0]!.userHandle)).personId).toBe('p-kim')
  // ATTACK: an answer that names another account is refused, also that of the very person
  expect(await house.refusalOf(answer(other.credentials[0]!.userHandle))).toBe('passkey-invalid')
})
