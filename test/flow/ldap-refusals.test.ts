/** What people of an LDAP directory read when it cannot be asked, and what their administrator finds by it. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
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
let time = Date.now()

beforeAll(async () => {
  slapd = await startSlapd([{ uid: 'sam', name: 'Sam', password: PASSWORD }], { staff: ['sam'] })
  way = await startTcpProxy({ to: slapd.port })
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }
  gateway = await startGateway({
    policies: POLICIES,
    clock: { now: () => time },
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        { ...slapd.settings(plain), ca_file: undefined },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await way?.close()
  await slapd?.end()
})

const signIn = async (username: string, password = PASSWORD) => {
  const browser = createBrowser()
  const page = await typePassword(browser, await browser.open(`${gateway.issuer}/signin`), username, password)
  return { browser, page }
}
const says = (text: string, code: Parameters<typeof refusalSentence>[1]) =>
  text.includes(refusalSentence(en, code).replaceAll("'", '&#39;'))

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
        detail: expect.stringMatching(/^directory staff: \w+$/),
      },
    ])
  },
)
