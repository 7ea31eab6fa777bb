import { test } from 'vitest'
import { startChromium } from './support/chromium.ts'
import { PASSWORD } from './support/gateway.ts'
import { identify, signIn, startKestrel } from './support/kestrel.ts'
import { totpCode } from './support/totp.ts'
test('x', async () => {
  const kestrel = await startKestrel(); const chromium = await startChromium()
  const { username, id } = await kestrel.hire()
  const tab = await chromium.tab()
  await tab.goto(kestrel.issuer + '/account')
  await signIn(tab, username)
  await tab.getByRole('button', { name: 'Add an authenticator app' }).click()
  const secret = (await tab.locator('.secret').textContent())!.replaceAll(' ', '')
  await tab.fill('[name=code]', totpCode(secret, Date.now()))
  console.log(tab.url(), 'A')
  await tab.getByRole('button', { name: 'Add this app' }).click()
  await tab.waitForURL(/done=/)
  console.log(JSON.stringify((await kestrel.gateway.server.house.sessions.ofPerson(id)), null, 1))
  await tab.goto(kestrel.issuer + '/account/password')
  console.log(tab.url(), await tab.textContent('main'))
  await chromium.close(); await kestrel.close()
})
