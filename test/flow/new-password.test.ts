/** A password that is right and has to be changed first: one page on the way in, in a browser that knows no scripts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { messagesFor, refusalSentence } from '#pages'
import { createBrowser, formOf, headingOf, type Page } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty, typePassword } from '../support/relying-party.ts'
import { AD_STAFF, type Samba, startSamba } from '../support/samba.ts'
import { BASE, type Slapd, startSlapd } from '../support/slapd.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'

const en = messagesFor('en')
const GIVEN = 'Given.By.The.Desk.1'
const CHOSEN = 'Vier.gelbe.Leitern.7'
const POLICY = `cn=policy,${BASE}`
let slapd: Slapd
let samba: Samba
let gateway: Gateway

const reset = ['pwdReset: TRUE']

beforeAll(async () => {
  ;[slapd, samba] = await Promise.all([
    startSlapd(
      [
        { uid: 'fresh', name: 'Fresh Start', password: GIVEN, lines: reset },
        { uid: 'stays', name: 'Stays Out', password: GIVEN, lines: reset },
        { uid: 'stale', name: 'Stale Bread', password: GIVEN, lines: ['pwdChangedTime: 20200101000000Z'] },
        { uid: 'here', name: 'Here Already', password: GIVEN },
        { uid: 'off', name: 'Switched Off', password: GIVEN, lines: [...reset, 'pwdAccountLockedTime: 000001010000Z'] },
        { uid: 'shut', name: 'Shut Out', password: GIVEN, lines: reset },
      ],
      {},
      { modules: 'moduleload ppolicy', database: `overlay ppolicy\nppolicy_default "${POLICY}"` },
    ),
    startSamba(),
  ])
  await slapd.modify(
    [
      `dn: ${POLICY}`,
      'changetype: add',
      'objectClass: device',
      'objectClass: pwdPolicy',
      'cn: policy',
      'pwdAttribute: userPassword',
      'pwdMaxAge: 86400000',
      'pwdMustChange: TRUE',
      'pwdLockout: TRUE',
      'pwdMaxFailure: 3',
      'pwdMinLength: 12',
      'pwdCheckQuality: 2',
      'pwdInHistory: 3',
      '',
    ].join('\n'),
  )
  await samba.modify(
    samba.person('must', GIVEN, ['pwdLastSet: 0']) +
      samba.person('expired', GIVEN) +
      samba.person('ended', GIVEN, ['pwdLastSet: 0', 'accountExpires: 132223104000000000']) +
      samba.person('disabled', GIVEN, ['pwdLastSet: 0', 'userAccountControl: 514']),
  )
  await samba.agePassword(`CN=expired,${AD_STAFF}`)
  gateway = await startGateway({
    // the bytes of its file are searched for passwords
    storage: EMBEDDED_FILE,
    policies: {
      ...POLICIES,
      'everybody.yaml': 'policy: everybody\nrules:\n  - { name: everybody, allow: {} }\n',
      'recent.yaml': 'policy: recent\nrules:\n  - { name: everybody, allow: { within: 0s } }\n',
    },
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        slapd.settings({ password_change: true }),
        samba.settings({ password_change: true }),
      ],
    },
    apps: ['everybody', 'recent'].map((id) => ({
      id,
      name: `App ${id}`,
      policy: id,
      audience: ['*'],
      oidc: { redirect_uris: [CALLBACK], scopes: ['openid'] },
    })),
  })
}, 240_000)
afterAll(async () => {
  await gateway?.close()
  await Promise.all([slapd?.end(), samba?.end()])
})

const STEP = 'new-password'
const newBrowser = () => createBrowser({ stopAt: CALLBACK })

/** To the page after the password. */
async function arrive(username: string, password = GIVEN, browser: Browser = newBrowser(), app = 'everybody') {
  const party = await relyingParty(gateway, app)
  const begun = await party.begin({ scope: 'openid' })
  const page = await typePassword(browser, await browser.open(begun.url.href), username, password)
  return { browser, page, finish: (at: Page) => party.finish(begun, at.url) }
}
const choose = (browser: Browser, page: Page, current: string, password: string) =>
  browser.submit(formOf(page, STEP), { current, password })
const says = (page: Page, code: Parameters<typeof refusalSentence>[1]) =>
  page.text.includes(refusalSentence(en, code).replaceAll("'", '&#39;'))
const verify = (username: string, password: string) => gateway.server.house.people.verifyPassword(username, password)

test.each([
  ['fresh', en.newPassword.mustChange],
  ['must', en.newPassword.mustChange],
  ['expired', en.newPassword.expired],
])('%s chooses a new password on the way in and goes on with it as the proof', async (username, why) => {
  const { browser, page, finish } = await arrive(username)
  expect([page.status, headingOf(page)]).toEqual([200, en.newPassword.title])
  expect(page.text).toContain(why)
  expect(page.text).toContain(en.changePassword.lead)
  expect(browser.jar.has('portico-session')).toBe(false)
  const after = await choose(browser, page, GIVEN, CHOSEN)
  expect(atCallback(after)).toBe(true)
  expect((await finish(after)).claims()?.sub).toBeTruthy()
  const person = await verify(username, CHOSEN)
  expect(person).toMatchObject({ username })
  // Active Directory takes the old one for an hour as well
  if (username === 'fresh') expect(await verify(username, GIVEN)).toBe('wrong')
  const { id } = person as { id: string }
  const events = (await gateway.server.house.audit.search({ subject: id })).map(({ event, reason }) => [event, reason])
  const because = username === 'expired' ? 'password-expired' : 'password-must-change'
  for (const one of [
    ['factor-refused', because],
    ['person-changed', undefined],
    ['factor-verified', undefined],
    ['person-signed-in', undefined],
  ])
    expect(events).toContainEqual(one)
})

test('what the directory has against it is said, on the same page, until it is content', async () => {
  // not the one from before: slapd keeps the old one with the second in which it was replaced, and none twice
  const AGAIN = `${GIVEN} again`
  await slapd.modify(
    `dn: ${slapd.dn('fresh')}\nchangetype: modify\nreplace: userPassword\nuserPassword: ${AGAIN}\n-\nreplace: pwdReset\npwdReset: TRUE\n`,
  )
  const { browser, page } = await arrive('fresh', AGAIN)
  const tries = [
    [AGAIN, 'nine char', 'password-too-short'],
    [AGAIN, AGAIN, 'password-in-history'],
    [AGAIN, CHOSEN, 'password-in-history'],
    [AGAIN, 'password1234', 'password-weak'],
    ['not this one', 'Acht.blaue.Stühle.3', 'password-wrong'],
    ['', 'Acht.blaue.Stühle.3', 'input-invalid'],
    [AGAIN, '', 'input-invalid'],
  ] as const
  for (const [current, password, code] of tries) {
    const again = await choose(browser, page, current, password)
    expect([again.status, headingOf(again), code]).toEqual([400, en.newPassword.title, code])
    expect(says(again, code), code).toBe(true)
  }
  expect(browser.jar.has('portico-session')).toBe(false)
  expect(atCallback(await choose(browser, page, AGAIN, 'Acht.blaue.Stühle.3'))).toBe(true)
})

test.each([
  ['stale', 'password-expired', 'OpenLDAP takes no change after the end'],
  ['ended', 'person-disabled', 'an account past its end'],
  ['disabled', 'person-disabled', 'an account that is switched off'],
  ['off', 'password-wrong', 'an account that an administrator locked'],
])('%s is offered no change: %s (%s)', async (username, code) => {
  const { page } = await arrive(username)
  expect(headingOf(page)).toBe(en.password.title)
  expect(says(page, code as 'password-wrong')).toBe(true)
})

test('nor is somebody who is locked after wrong passwords, or who is switched off here', async () => {
  for (let i = 0; i < 3; i++) expect(await verify('shut', 'wrong horse')).toBe('wrong')
  const locked = await arrive('shut')
  expect([headingOf(locked.page), says(locked.page, 'password-wrong')]).toEqual([en.password.title, true])
  const stays = (await gateway.server.house.people.find('stays'))!
  await gateway.server.house.people.disable(stays.id, 'test')
  const disabled = await arrive('stays')
  expect([headingOf(disabled.page), says(disabled.page, 'password-wrong')]).toEqual([en.password.title, true])
  await gateway.server.house.people.enable(stays.id, 'test')
})

test('who was signed in elsewhere is out, and whoever is asked again in the middle of a visit goes on in it', async () => {
  const elsewhere = await arrive('here')
  expect(atCallback(elsewhere.page)).toBe(true)
  const { browser, page } = await arrive('here')
  expect(atCallback(page)).toBe(true)
  await slapd.modify(`dn: ${slapd.dn('here')}\nchangetype: modify\nadd: pwdReset\npwdReset: TRUE\n`)
  const party = await relyingParty(gateway, 'recent')
  const { url } = await party.begin({ scope: 'openid' })
  const asked = await browser.open(url.href)
  const held = await browser.submit(formOf(asked, 'password'), { password: GIVEN })
  expect(headingOf(held)).toBe(en.newPassword.title)
  const { sessions, people } = gateway.server.house
  const { id } = (await people.find('here'))!
  expect((await sessions.ofPerson(id)).length).toBe(2)
  expect(atCallback(await choose(browser, held, GIVEN, CHOSEN))).toBe(true)
  const left = await sessions.ofPerson(id)
  expect(left).toHaveLength(1)
  expect((await sessions.find(browser.jar.get('portico-session')))?.id).toBe(left[0]!.id)
})

test('where the settings take no change, people read that they have to do it elsewhere', async () => {
  const other = await startGateway({
    policies: { ...POLICIES },
    settings: { directories: [{ id: 'local', kind: 'local' }, slapd.settings()] },
    apps: [{ id: 'web', name: 'Web', policy: 'plain', audience: ['*'], oidc: { redirect_uris: [CALLBACK] } }],
  })
  try {
    const browser = newBrowser()
    const page = await typePassword(browser, await browser.open(`${other.issuer}/account`), 'stays', GIVEN)
    expect(headingOf(page)).toBe(en.password.title)
    expect(says(page, 'password-must-change')).toBe(true)
  } finally {
    await other.close()
  }
})

test('neither password is written down anywhere', async () => {
  const { browser, page } = await arrive('stays')
  await choose(browser, page, GIVEN, 'nine char')
  await choose(browser, page, GIVEN, CHOSEN)
  const files = readdirSync(gateway.folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  expect(files.length).toBeGreaterThan(2)
  // the bytes of the database are what they are: Latin-1 keeps each
  const everything = files.map((one) => readFileSync(join(one.parentPath, one.name), 'latin1')).join('\n')
  expect(everything).toContain('password-must-change')
  for (const secret of [GIVEN, CHOSEN, 'nine char'])
    expect([secret, (everything + gateway.log()).includes(secret)]).toEqual([secret, false])
})
