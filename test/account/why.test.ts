/** A receipt read after the rules have changed: what was decided then is told by the rules of then, what helps by those of now. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHouse } from './house.ts'

const rules = (...list: string[]) => ({
  'apps.yaml': `policy: apps\nrules:\n${list.map((rule) => `  - ${rule}\n`).join('')}`,
})
const TWO = rules('{ name: two, allow: { strength: two-factors } }')
const ANY = rules('{ name: all, allow: {} }')
const CLOSED = rules(
  '{ name: closed outside, when: { network: { outside: [stores] } }, deny: {} }',
  '{ name: in, allow: {} }',
)

const TILL = {
  ...{ id: 'till', name: 'Till', audience: ['*'] },
  oidc: { redirect_uris: ['https://till.example.org/cb'], scopes: ['openid'] },
}

let house: Awaited<ReturnType<typeof openHouse>>
let read: () => Promise<string>

/** Somebody with a password opened the till under `TWO`, and was asked for more. */
beforeEach(async () => {
  house = await openHouse(TWO)
  await house.catalog.apps.register({ ...TILL, policy: 'apps' }, 'test')
  await house.publish()
  const { id } = await house.person('sam')
  const browser = await house.signedIn(id)
  const app = await house.catalog.apps.find('till')
  const question = { kind: 'app', app, session: browser.session, address: '203.0.113.9' } as const
  const { outcome, reference } = await house.access.ask({ ...question, startedAt: house.time.now })
  expect(outcome).toBe('challenge')
  read = async () => (await browser.get(`/why/${reference}`)).body
})
afterEach(() => house.close())

const REASON = 'Till asks for more'
const PASSKEY = 'Add a passkey on your account page'
const AGAIN = 'The rules have changed since.'
const STORES = 'Open it from one of these networks: stores.'
/** Which of them are told. */
const told = async () => {
  const page = await read()
  return [REASON, PASSKEY, AGAIN, STORES].filter((one) => page.includes(one))
}

test('the same rules: the reason, and what would help', async () => {
  expect(await told()).toEqual([REASON, PASSKEY])
})

test('rules that would let in now: the reason of then, and to try again', async () => {
  await house.publish(ANY)
  expect(await told()).toEqual([REASON, AGAIN])
})

test('other rules: the reason of then, and what helps with those', async () => {
  await house.publish(CLOSED)
  expect(await told()).toEqual([REASON, STORES])
  // and back
  await house.publish()
  expect(await told()).toEqual([REASON, PASSKEY])
})

test('another policy for the app: its receipt says nothing about what helps now', async () => {
  await house.publish(ANY)
  await house.catalog.apps.remove('till', 'test')
  await house.catalog.apps.register({ ...TILL, policy: 'account' }, 'test')
  expect(await told()).toEqual([REASON])
  await house.publish(CLOSED)
  expect(await told()).toEqual([REASON])
})

test('rules that are stored no more: what the receipt itself says', async () => {
  await house.publish(ANY)
  await house.storage.records.deleteFrom('policy_files').where('text', 'like', '%name: two%').execute()
  expect(await told()).toEqual([AGAIN])
  expect(await read()).toContain('Asked to confirm')
})

test('a page of our own is no app: what helps now is told, by the rules of now', async () => {
  const closed = 'policy: account\nrules:\n  - { name: two, allow: { strength: two-factors } }\n'
  await house.publish({ 'account.yaml': closed })
  const { id } = await house.person('kim')
  const browser = await house.signedIn(id)
  const question = { kind: 'account', policy: 'account', session: browser.session, address: '203.0.113.9' } as const
  const { outcome, reference } = await house.access.ask({ ...question, startedAt: house.time.now })
  expect(outcome).toBe('challenge')
  await house.publish()
  expect((await browser.get(`/why/${reference}`)).body).toContain(AGAIN)
})

test('a decision that broke is told as that, and not as a request that no rule allows, whatever the rules say of it', async () => {
  await house.publish(ANY)
  const { id } = await house.person('kim')
  const browser = await house.signedIn(id)
  const app = await house.catalog.apps.find('till')
  const question = {
    kind: 'app',
    app,
    session: browser.session,
    address: '203.0.113.9',
    startedAt: house.time.now,
  } as const
  const broken = await house.whileBroken(() => house.access.ask(question))
  expect(broken).toMatchObject({ outcome: 'deny', decision: { policy: 'apps', rule: 'deciding-failed' } })
  expect(await house.access.ask(question)).toMatchObject({ outcome: 'allow' })
  const page = (await browser.get(`/why/${broken.reference}`)).body
  expect(page).toContain('Something went wrong while deciding, and then nothing opens.')
  expect(page).toContain('Stayed closed')
  expect(page).not.toMatch(/No rule lets you in|deciding-failed|lets you in/)
})
