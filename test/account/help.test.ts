/** What somebody who is refused, or asked for more, is told to do next. */
import { expect, test } from 'vitest'
import { LANGUAGES, messagesFor } from '#pages'
import { type Change, suggest } from '#policy'
import { helpWith } from '#signin'
import { policiesOf } from '../policy/house.ts'
import { openHouse, START } from './house.ts'

/** The one app `till` under these rules, somebody signed in, and what they read when they are refused. */
async function refusedBy(rules: string, read: { later?: number; address?: string; stranger?: true } = {}) {
  const house = await openHouse({ 'apps.yaml': `policy: apps\nrules:\n${rules}` })
  try {
    const oidc = { redirect_uris: ['https://till.example.org/cb'], scopes: ['openid'] }
    await house.catalog.apps.register({ id: 'till', name: 'Till', policy: 'apps', audience: ['*'], oidc }, 'test')
    const { id } = await house.person('sam')
    const browser = read.stranger ? house.browser() : await house.signedIn(id)
    const { body } = await browser.get(await house.signin.begin({ kind: 'app', app: 'till', returnTo: '/' }))
    const reference = /\/why\/([\w-]+)/.exec(body)?.[1]
    house.time.now += read.later ?? 0
    const why = reference === undefined ? undefined : (await browser.get(`/why/${reference}`)).body
    return { refused: mainOf(body), why: why && mainOf(why) }
  } finally {
    await house.close()
  }
}

const mainOf = (body: string) => /<main[\s\S]*<\/main>/.exec(body)![0]
const HELP_DESK = messagesFor('en').help['ask-help-desk']
const HOUR = 3_600_000

test('the place is told by its name, on the page that refuses and on the one that says why', async () => {
  const { refused, why } = await refusedBy(
    '  - { name: out, when: { network: { outside: [stores] } }, deny: { say: Only in a store. } }\n  - { name: in, allow: {} }\n',
  )
  expect(refused).toContain('Only in a store.')
  for (const page of [refused, why]) {
    expect(page).toContain('Open it from one of these networks: stores.')
    expect(page).not.toContain('192.0.2')
  }
  expect(why).toContain(HELP_DESK)
})

test('what the rule itself says to do comes first, and the reasons say the rest', async () => {
  const { refused, why } = await refusedBy(
    '  - { name: out, when: { network: { outside: [stores] } }, deny: { do: Walk to a store. } }\n  - { name: in, allow: {} }\n',
  )
  expect(refused).toContain('Walk to a store.')
  expect(refused).not.toContain('Open it from')
  expect(why).toContain('Open it from one of these networks: stores.')
})

test('two things that are both needed are told together, in the order in which they are done', async () => {
  const { refused, why } = await refusedBy(
    '  - { name: out, when: { network: { outside: [stores] } }, deny: {} }\n  - { name: in, allow: { strength: phishing-resistant } }\n',
  )
  const both = 'Open it from one of these networks: stores. Add a passkey on your account page.'
  expect(refused).toContain(both)
  expect(refused).toContain('href="/account"')
  expect(why).toContain(both)
})

test('the time is told as an instant, which browsers put into the own zone, until it has passed', async () => {
  const rules = "  - { name: at ten, when: { time: { between: '10:00-11:00', zone: UTC } }, allow: {} }\n"
  const { refused, why } = await refusedBy(rules)
  for (const page of [refused, why])
    expect(page).toContain('Come back later: it opens on <time datetime="2026-11-22T10:00:00.000Z">')
  expect((await refusedBy(rules, { later: 1.5 * HOUR })).why).not.toContain('Come back later')
})

test("groups are nobody else's business: the help desk is", async () => {
  const { refused, why } = await refusedBy('  - { name: some, when: { user.groups: [works-council] }, allow: {} }\n')
  for (const page of [refused, why]) {
    expect(page).toContain(HELP_DESK)
    expect(page).not.toContain('works-council')
  }
})

test('a stranger is not told from where it would open', async () => {
  const { refused } = await refusedBy(
    '  - { name: out, when: { network: { outside: [stores] } }, deny: {} }\n  - { name: in, allow: {} }\n',
    { stranger: true },
  )
  expect(refused).not.toContain('stores')
  expect(refused).toContain(HELP_DESK)
})

const CHANGES: readonly Change[] = [
  { code: 'give-again', factor: 'password' },
  { code: 'give-factor', factor: 'passkey' },
  { code: 'give-factor', factor: 'passkey', hardware: true },
  { code: 'use-known-device' },
  { code: 'use-enrolled-device', kind: 'shared' },
  { code: 'use-network', networks: ['stores', 'head-office'] },
  { code: 'leave-network' },
  { code: 'use-platform', platform: 'ios' },
  { code: 'sign-in-again' },
  { code: 'come-back-later', time: new Date(START + HOUR).toISOString() },
]

test.each(LANGUAGES)('every change that people can make has a sentence of its own in %s', (language) => {
  const messages = messagesFor(language)
  const said = CHANGES.map((change) => {
    const suggestion = { changes: [change], outcome: 'allow' as const, instead: [] }
    return String(helpWith(suggestion, { messages, enrolled: ['password'], now: START })[0])
  })
  expect(new Set(said).size).toBe(CHANGES.length)
  expect(said.filter((sentence) => !/[.]$/.test(sentence) || /[{}]|undefined/.test(sentence))).toEqual([])
})

test('who has a factor is told to use it, who has not to add it, and no more than three ways are told', () => {
  const facts = {
    at: START,
    user: { groups: [] },
    session: { started: START, authenticated: [{ factor: 'password', at: START }] },
  }
  const policies = policiesOf([{ name: 'two', allow: { strength: 'two-factors' } }])
  const told = (enrolled: string[]) =>
    helpWith(suggest(policies, facts, { policy: 'p', enrolled }), {
      messages: messagesFor('en'),
      enrolled,
      now: START,
    }).map(String)
  expect(told(['password'])).toEqual([
    'Add a passkey on your account page.',
    'Add an authenticator app on your account page.',
  ])
  expect(told(['password', 'totp', 'recovery-code'])).toEqual([
    'Confirm with the code from your authenticator app.',
    'Confirm with one of your recovery codes.',
    'Add a passkey on your account page.',
  ])
})
