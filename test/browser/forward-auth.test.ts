/** Two apps behind a proxy, in a real browser: one sign-in, several tabs, the launcher, one sign-out. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { type EchoApp, printedSnippet, type RunningProxy, startEchoApp, startProxy } from '../support/proxies.ts'

const en = messagesFor('en')
const APPS = ['wiki', 'tills'] as const
let gateway: Gateway
let echo: EchoApp
let chromium: Chromium
const proxies: RunningProxy[] = []
const at = new Map<string, string>()

beforeAll(async () => {
  echo = await startEchoApp()
  const hosts = new Map<string, string>()
  for (const id of APPS) {
    const port = await freePort()
    hosts.set(id, `${id}.localhost:${port}`)
    at.set(id, `http://${id}.localhost:${port}`)
  }
  gateway = await startGateway({
    policies: POLICIES,
    settings: { proxies: ['127.0.0.1'] },
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: APPS.map((id) => ({
      id,
      name: id,
      policy: 'plain',
      audience: ['staff'],
      forward_auth: { hosts: [hosts.get(id)!], upstream: `http://127.0.0.1:${echo.port}` },
    })),
  })
  for (const id of APPS)
    proxies.push(
      await startProxy('nginx', Number(hosts.get(id)!.split(':')[1]), await printedSnippet(gateway, id, 'nginx')),
    )
  chromium = await startChromium()
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  for (const proxy of proxies) await proxy.close()
  await gateway?.close()
  await echo?.close()
})

test('one sign-in opens both, in as many tabs as there are; one sign-out closes both', async () => {
  const visit = await chromium.visit()
  const tab = await visit.newPage()
  await tab.goto(`${at.get('wiki')}/a?b=c#d`)
  await tab.locator('[name=username]').fill('sam')
  await tab.keyboard.press('Enter')
  await tab.locator('[name=password]').fill(PASSWORD)
  await tab.keyboard.press('Enter')
  await tab.waitForURL(`${at.get('wiki')}/a?b=c**`)
  expect(await tab.textContent('body')).toContain('"Remote-User","sam"')

  const tabs = await Promise.all(Array.from({ length: 4 }, () => visit.newPage()))
  await Promise.all(tabs.map((one, i) => one.goto(`${at.get('tills')}/${i}`)))
  for (const [i, one] of tabs.entries()) {
    expect(one.url()).toBe(`${at.get('tills')}/${i}`)
    expect(await one.textContent('body')).toContain(`"url":"/${i}"`)
  }

  await tab.goto(gateway.issuer)
  expect(await tab.getByRole('link', { name: 'wiki' }).getAttribute('href')).toBe(`${at.get('wiki')}/`)
  await tab.goto(`${at.get('wiki')}/.portico/sign-out`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
  for (const id of APPS) {
    await tab.goto(`${at.get(id)}/`)
    expect(await tab.locator('[name=username]').isVisible()).toBe(true)
  }
})
