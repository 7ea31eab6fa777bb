/** What people of an LDAP directory read when it cannot be asked, and what their administrator finds by it. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { REFUSALS } from '#core/refusals'
import { messagesFor, refusalSentence } from '#pages'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { typePassword } from '../support/relying-party.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const en = messagesFor('en')
const PASSWORD = 'correct horse'
let slapd: Slapd
let way: TcpProxy
let gateway: Gateway
/** In front of the same server, which then speaks like a domain controller. */
let controller: TcpProxy
let time = Date.now()

beforeAll(async () => {
  slapd = await startSlapd(
    [
      { uid: 'sam', name: 'Sam', password: PASSWORD },
      { uid: 'kim', name: 'Kim', password: PASSWORD, lines: ['displayName: kim.domain'] },
    ],
    { staff: ['sam'] },
  )
  way = await startTcpProxy({ to: slapd.port })
  controller = await startTcpProxy({ to: slapd.port })
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }
  const domain = { ...plain, url: `ldap://127.0.0.1:${controller.port}`, template: 'active-directory' } as const
  gateway = await startGateway({
    policies: POLICIES,
    clock: { now: () => time },
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        { ...slapd.settings({ ...domain, user_filter: '(displayName={username})' }), id: 'domain', ca_file: undefined },
        { ...slapd.settings(plain), ca_file: undefined },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([way?.close(), controller?.close()])
  await slapd?.end()
})

const signIn = async (username: string, password = PASSWORD) => {
  const browser = createBrowser()
  const page = await typePassword(browser, await browser.open(`${gateway.issuer}/signin`), username, password)
  return { browser, page }
}
const says = (text: string, code: Parameters<typeof refusalSentence>[1]) =>
  text.includes(refusalSentence(en, code).replaceAll("'", '&#39;'))

test('a wrong password is for whoever typed it to mend, and has no reference', async () => {
  const { page } = await signIn('sam', 'wrong horse')
  expect(says(page.text, 'password-wrong')).toBe(true)
  expect(page.text).not.toMatch(/E-[0-9A-Z]{4}-[0-9A-Z]{4}/)
})

/** Active Directory's answer to a bind (RFC 4511 §4.2.2): a right password, and why it does not do. */
function diagnostic(messageId: number, data: string): Buffer {
  const text = Buffer.from(
    `80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ${data}, v1db1`,
  )
  const inner = Buffer.concat([Buffer.from([0x0a, 1, 49, 4, 0, 4, text.length]), text])
  const bind = Buffer.concat([Buffer.from([0x61, inner.length]), inner])
  return Buffer.concat([Buffer.from([0x30, 3 + bind.length, 2, 1, messageId]), bind])
}

test.each([
  ['530', 'directory-forbids'],
  ['532', 'password-expired'],
  ['773', 'password-must-change'],
  // the last one: whoever was switched off there stays so until the entry says otherwise
  ['533', 'person-disabled'],
] as const)(
  'a domain that lets nobody in with the right password (%s) is said to, with a reference for the cause',
  async (data, code) => {
    controller.garble((bytes, direction) =>
      direction === 'to-client' && bytes[5] === 0x61 && bytes[9] === 49 ? diagnostic(bytes[4]!, data) : bytes,
    )
    onTestFinished(() => controller.restore())
    // the server takes it for wrong; the controller in front of it knows better
    const { browser, page } = await signIn('kim.domain', 'not what stands there')
    expect([page.status, browser.jar.has('portico-session')]).toEqual([REFUSALS[code].status, false])
    expect(says(page.text, code)).toBe(true)
    const reference = /class="letters"[^>]*>(E-[0-9A-Z]{4}-[0-9A-Z]{4})</.exec(page.text)?.[1]
    const line = gateway
      .log()
      .split('\n')
      .find((one) => one.includes('"sign-in-refused"') && one.includes(reference!))
    expect(JSON.parse(line!)).toMatchObject({ code, detail: expect.stringContaining('directory domain') })
    expect(line).not.toContain('kim')
    // whom the help desk looks for, by their name or by what the log says
    const [kim] = await gateway.server.house.people.list({ directory: 'domain' })
    expect(JSON.parse(line!)).toMatchObject({ person: kim!.id })
    const [found] = await gateway.server.house.audit.search({ event: 'factor-refused', subject: kim!.id })
    expect(found).toMatchObject({ factor: 'password', reason: code })
  },
)

test.each(['cut', 'silence', 'garble'] as const)(
  'a directory that cannot be asked (%s) is said to be, with a reference under which the log says which and why',
  async (fault) => {
    way[fault]()
    onTestFinished(() => {
      way.restore()
      time += 120_000
    })
    const { browser, page } = await signIn('sam')
    expect([page.status, browser.jar.has('portico-session')]).toEqual([503, false])
    expect(says(page.text, 'directory-unavailable')).toBe(true)
    const [reference] = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)!
    // nobody outside learns what stands where
    expect(page.text).not.toMatch(/127\.0\.0\.1|LDAP|ldap|kestrel,dc|staff/)
    const lines = gateway
      .log()
      .split('\n')
      .filter((line) => line.includes(reference))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toMatchObject([
      {
        event: 'request-failed',
        code: 'directory-unavailable',
        detail: expect.stringMatching(/^directory staff: [\w-]+$/),
      },
    ])
  },
)
