/** The main job, end to end, over HTTP: prints each step and answers whether all of them held. */
import { createAuthenticator } from '../test/support/authenticator.ts'
import type { SampleApp } from './apps.ts'
import { createBrowser, formOf, headingOf, type Page, passkeyOptions } from './browser.ts'
import { PASSWORD } from './people.ts'

export interface Place {
  readonly issuer: string
  readonly outside: string
  readonly apps: readonly SampleApp[]
  readonly partner: { readonly id: string; readonly secret: string }
}

/** Every step says what it expects before it happens, so that a failure reads like a sentence. */
export async function tour({ issuer, outside, apps, partner }: Place): Promise<boolean> {
  const browser = createBrowser()
  const key = createAuthenticator({ rpId: 'localhost', origin: new URL(issuer).origin })
  const [crm, tills, rota, simSwap] = apps as [SampleApp, SampleApp, SampleApp, SampleApp]
  const addressOf = (app: SampleApp, query = '') => `http://localhost:${app.port}/${query}`
  const expectApp = (page: Page, app: SampleApp) =>
    expect(
      page.url.port === String(app.port) && /Hello Sam/.test(page.text),
      `arrived at "${headingOf(page)}" (${page.url.host}${page.url.pathname}, ${page.status})`,
    )
  let reference = ''
  let failed = 0

  async function step(sentence: string, work: () => Promise<unknown>): Promise<void> {
    try {
      const note = await work()
      console.log(`  ok    ${sentence}${typeof note === 'string' ? `: ${note}` : ''}`)
    } catch (error) {
      failed++
      console.log(`  FAIL  ${sentence}: ${(error as Error).message}`)
    }
  }

  console.log(`\nA morning at Kestrel Mobile (${issuer})\n`)

  await step('sam opens the customer desk and is asked for a user name, then for a password', async () => {
    const asked = await browser.open(addressOf(crm))
    const password = await browser.submit(formOf(asked, 'identifier'), { username: 'sam' })
    const wrong = await browser.submit(formOf(password, 'password'), { password: 'not this one at all' })
    expect(wrong.status === 400, `a wrong password answered ${wrong.status}`)
    expectApp(await browser.submit(formOf(wrong, 'password'), { password: PASSWORD }), crm)
    return 'one wrong password, then in'
  })

  for (const app of [tills, rota]) {
    await step(`${app.name} opens without being asked`, async () => expectApp(await browser.open(addressOf(app)), app))
  }

  await step('sam adds a passkey on the account page', async () => {
    const page = await browser.open(`${issuer}/account/passkeys/new`)
    const credential = key.create(passkeyOptions(page))
    const done = await browser.submit(formOf(page, 'enrol-passkey'), { credential: JSON.stringify(credential) })
    expect(done.status === 200 && done.url.pathname === '/account', `ended at ${done.url.pathname} (${done.status})`)
  })

  await step('SIM swap is risky: it asks for the passkey, and opens', async () => {
    const asked = await browser.open(addressOf(simSwap))
    const credential = key.get(passkeyOptions(asked))
    expectApp(await browser.submit(formOf(asked, 'passkey'), { credential: JSON.stringify(credential) }), simSwap)
  })

  await step('and does not ask again a minute later', async () =>
    expectApp(await browser.open(addressOf(simSwap)), simSwap),
  )

  await step('outside the store SIM swap stays closed, with a reason and a reference', async () => {
    const page = await browser.open(addressOf(simSwap, '?outside'))
    reference = /[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/.exec(page.text)?.[0] ?? ''
    expect(
      page.status === 403 && reference !== '' && page.url.origin === outside,
      `answered ${page.status}: ${headingOf(page)}`,
    )
    return `"${headingOf(page)}", ${reference}`
  })

  await step('the reason can be read with the reference, by the person it concerns', async () => {
    const why = await browser.open(`${issuer}/why/${reference}`)
    expect(why.status === 200 && why.text.includes(reference), `answered ${why.status}`)
    const stranger = await createBrowser().open(`${issuer}/why/${reference}`)
    expect(!stranger.text.includes('closed outside stores'), 'somebody else can read it too')
  })

  await step('the partner gets a token for its program, and a wrong secret gets none', async () => {
    const ask = (secret: string) =>
      fetch(`${issuer}/oauth2/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${partner.id}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read orders:delete' }),
      })
    const answer = await ask(partner.secret)
    const {
      access_token: token,
      expires_in: life,
      scope,
    } = (await answer.json()) as { access_token?: string; expires_in?: number; scope?: string }
    expect(answer.status === 200 && !!token, `answered ${answer.status}`)
    expect(scope === 'orders:read', `the rule allows no deleting, and the token has ${scope}`)
    const refused = await ask('a guess')
    expect(refused.status === 401, `a wrong secret answered ${refused.status}`)
    return `${scope}, valid for ${life} s`
  })

  await step('sam signs out; the customer desk hears of it and asks again', async () => {
    const page = await browser.open(`${issuer}/signout`)
    await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
    const again = await browser.open(`${issuer}/`)
    expect(again.text.includes('name="username"'), `the launcher still opens: ${headingOf(again)}`)
  })

  console.log(failed === 0 ? '\nevery step held' : `\n${failed} steps did not hold`)
  return failed === 0
}

function expect(held: boolean, otherwise: string): void {
  if (!held) throw new Error(otherwise)
}
