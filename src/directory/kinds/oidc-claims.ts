/** From the claims of a provider to a person (OpenID Connect Core §5.1). */

import { isMail, LANGUAGES, usernameKey } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import type { OidcSettings } from './oidc-client.ts'
import { ourGroups } from './provider-groups.ts'

type Claims = Readonly<Record<string, unknown>>

const MOST_TEXTS = 1000
const LONGEST = 200

/** A text or the texts of a list; everything else is nothing. `Object.hasOwn`, because a claim may be called `constructor`. */
function textsOf(claims: Claims, name: string): string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  const list = Array.isArray(value) ? value.slice(0, MOST_TEXTS) : [value]
  return list.filter((one): one is string => typeof one === 'string' && one.trim() !== '' && one.isWellFormed())
}

const clean = (text: string): string =>
  [
    ...text
      .normalize('NFC')
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '\ufffd')
      .trim(),
  ]
    .slice(0, LONGEST)
    .join('')

/**
 * What the ID Token says comes first: it is signed.
 * ATTACK: whether an address is verified is said of the address beside it. Of two documents with two addresses each could lend its
 * word to the other's.
 */
export function together(idToken: Claims, userinfo: Claims): Claims {
  const { email_verified: _, ...all } = { ...userinfo, ...idToken }
  const said = [idToken, userinfo].filter(({ email }) => email !== undefined && email === all['email'])
  const verified = said.map((one) => one['email_verified']).find((one) => one !== undefined)
  return verified === undefined ? all : { ...all, email_verified: verified }
}

/** Undefined where the claims have no stable id. `sub` is at most 255 ASCII characters (Core §2). */
export function personOf(
  claims: Claims,
  settings: Pick<OidcSettings, 'claims' | 'groups'>,
): UpstreamPerson | undefined {
  const names = settings.claims
  const [upstreamId] = textsOf(claims, names.id)
  if (upstreamId === undefined || !/^[\x21-\x7e]{1,255}$/.test(upstreamId)) return undefined
  const one = (name: string): string | undefined => {
    const [value] = textsOf(claims, name)
    return value === undefined ? undefined : clean(value) || undefined
  }
  const mail = textsOf(claims, names.mail).find(isMail)
  const usernames = [...textsOf(claims, names.username), ...(mail ? [mail] : [])].filter(
    (name) => usernameKey(name) !== undefined,
  )
  const [username = upstreamId.slice(0, 100), ...others] = usernames
  const givenName = one(names.given_name)
  const familyName = one(names.family_name)
  const wanted = one(names.language)?.slice(0, 2).toLowerCase()
  const language = LANGUAGES.find((known) => known === wanted)
  const attributes = Object.fromEntries(
    Object.entries(names.other).flatMap(([ours, theirs]) => {
      const values = textsOf(claims, theirs).map(clean)
      return values.length > 0 ? [[ours, values]] : []
    }),
  )
  return {
    upstreamId,
    usernames: [username, ...others],
    name: one(names.name) ?? username,
    groups: ourGroups(textsOf(claims, names.groups), settings.groups),
    ...(givenName === undefined ? {} : { givenName }),
    ...(familyName === undefined ? {} : { familyName }),
    // `email_verified` speaks of `email` and of no other claim (Core §5.1)
    ...(mail === undefined ? {} : { mail, mailVerified: names.mail === 'email' && claims['email_verified'] === true }),
    ...(language === undefined ? {} : { language }),
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
  }
}
