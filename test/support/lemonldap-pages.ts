/** Signing in on the pages of LemonLDAP::NG, by their forms. */

import { systemClock } from '#core/clock'
import { type createBrowser, type Form, formsOf, type Page } from '../../demo/browser.ts'
import type { LemonldapPerson } from './lemonldap-files.ts'
import { totpCode } from './totp.ts'

type Browser = ReturnType<typeof createBrowser>
const formWith = (page: Page, field: string): Form | undefined => formsOf(page).find(({ fields }) => fields.has(field))

/** Types the password, and the code where one is asked for; gives the page that comes after, signed in or not. */
export async function signInAtLemonldap(
  browser: Browser,
  asked: Page,
  { uid, password, totp }: Pick<LemonldapPerson, 'uid' | 'password' | 'totp'>,
): Promise<Page> {
  const login = formWith(asked, 'password')
  // who is asked once more is shown a page in between, which a browser with scripts leaves by itself
  const anew = formsOf(asked).find(({ action }) => action.pathname === '/renewsession')
  if (!login && anew)
    return signInAtLemonldap(browser, await browser.submit(anew), { uid, password, ...(totp ? { totp } : {}) })
  if (!login) throw new Error(`nobody is asked to sign in at ${asked.url.href} (${asked.status})`)
  const page = await browser.submit(login, { user: uid, password })
  const second = formWith(page, 'code')
  return second && totp ? browser.submit(second, { code: totpCode(totp, systemClock.now()) }) : page
}

/** What a page with a SAML answer would post by itself in a browser with scripts. */
export function samlAnswer(page: Page): Form {
  const form = formWith(page, 'SAMLResponse')
  if (!form) throw new Error(`no SAML answer at ${page.url.href} (${page.status})`)
  return form
}
