/** Who is there, as the app is told: in headers, and in a token that it can verify. */
import type { Verdict } from '#access'
import type { App, IdentityField } from '#catalog'
import type { Clock, Instant } from '#core/clock'
import { seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomNumber } from '#core/random'
import type { Person } from '#directory'
import type { Keys } from '#keys'
import type { Session } from '#sessions'

export const JWT_HEADER = 'X-Portico-Jwt'
/** ATTACK: a proxy that keeps answers would find this one under the same address for whoever comes next. */
const NOT_KEPT = ['Cache-Control', 'no-store'] as const
const FIELDS: readonly (readonly [string, IdentityField])[] = Object.freeze([
  ['Remote-User', 'user'],
  ['Remote-Groups', 'groups'],
  ['Remote-Email', 'email'],
  ['Remote-Name', 'name'],
])
/** RFC 8725 §3.11: a type of its own, which is none of an ID token, an access token or a logout token. */
export const JWT_TYPE = 'portico-forward-auth+jwt'
const JWT_LIFE = seconds(60)
/** Signed anew after so long at most: an app gets one that is good for most of its life. */
const SIGN_AGAIN = seconds(20)

type Headers = Readonly<Record<string, string>>

/** Every header that an app behind a proxy is told something in: what the proxy has to overwrite. */
const headersOf = (app: Pick<App, 'forwardAuth'>): readonly (readonly [string, IdentityField])[] => {
  const own = (app.forwardAuth?.headers ?? []).map(({ name, field }) => [name, field] as const)
  const names = new Set(own.map(([name]) => name.toLowerCase()))
  return [...FIELDS.filter(([name]) => !names.has(name.toLowerCase())), ...own]
}

/** What stands in every answer that lets a request pass. INVARIANT: all of it, so that nothing the client sent is left. */
interface Template {
  readonly names: readonly string[]
  readonly nobody: Headers
}

/** An app is a new object when it changes. */
const templates = new WeakMap<App, Template>()

function templateOf(app: App): Template {
  let template = templates.get(app)
  if (!template) {
    const names = [...headersOf(app).map(([name]) => name), JWT_HEADER]
    template = { names, nobody: Object.freeze(Object.fromEntries([...names.map((name) => [name, '']), NOT_KEPT])) }
    templates.set(app, template)
  }
  return template
}

export const namesFor = (app: App): readonly string[] => templateOf(app).names
export const nobody = (app: App): Headers => templateOf(app).nobody

/** The id of a session as this app is told it. */
export const sidOf = (session: Pick<Session, 'id'>, app: Pick<App, 'id'>): string =>
  sha256(`forward-auth ${session.id} ${app.id}`).slice(0, 22)

export interface Identity {
  readonly headers: Headers
  /** What the token says beyond its times: the same token serves as long as that does. */
  readonly claims: string
  readonly signedAt: Instant
  readonly signAgainAt: Instant
}

export function createIdentities({
  issuer,
  keys,
  clock,
}: {
  issuer: string
  keys: Pick<Keys, 'signing'>
  clock: Clock
}) {
  async function sign(claims: string, now: Instant): Promise<string> {
    const signer = keys.signing.signers()[0]!
    const at = Math.floor(now / 1000)
    const payload = { ...JSON.parse(claims), iat: at, exp: at + JWT_LIFE / 1000 }
    const text = `${encoded({ alg: signer.alg, kid: signer.kid, typ: JWT_TYPE })}.${encoded(payload)}`
    return `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`
  }

  return {
    /** `before`: what this browser's last request was told, whose token is used again while it is young. */
    async of(
      { app, origin, person, session }: { app: App; origin: string; person: Person; session: Session },
      verdict: Pick<Verdict, 'acr' | 'amr' | 'authTime'>,
      before: Identity | undefined,
    ): Promise<Identity> {
      const now = clock.now()
      const claims = JSON.stringify({
        iss: issuer,
        aud: origin,
        sub: person.id,
        sid: sidOf(session, app),
        acr: verdict.acr,
        amr: verdict.amr,
        ...(verdict.authTime === undefined ? {} : { auth_time: Math.floor(verdict.authTime / 1000) }),
        preferred_username: person.username,
        name: person.name,
        ...(person.mail === undefined ? {} : { email: person.mail, email_verified: person.mailVerified }),
        ...(person.groups === undefined ? {} : { groups: person.groups }),
      })
      if (before?.claims === claims && isYoung(before, now)) return before
      const value = valuesOf(person)
      const told = headersOf(app).map(([name, field]) => [name, value[field]])
      const headers = Object.fromEntries([...told, [JWT_HEADER, await sign(claims, now)], NOT_KEPT])
      // up to a second sooner, each at another time: signing is most of the work, and many begin together
      const signAgainAt = now + SIGN_AGAIN - (randomNumber() % seconds(1))
      return { headers, claims, signedAt: now, signAgainAt }
    },
    isYoung: (identity: Identity) => isYoung(identity, clock.now()),
  }
}

const isYoung = ({ signedAt, signAgainAt }: Identity, now: Instant): boolean => now >= signedAt && now < signAgainAt

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A mail address that nobody has verified would let its holder take over an account that an app knows by it. */
const valuesOf = ({ username, name, mail, mailVerified, groups }: Person): Readonly<Record<IdentityField, string>> => ({
  user: bytes(username),
  name: bytes(name),
  email: bytes(mailVerified ? (mail ?? '') : ''),
  groups: (groups ?? []).map(listed).join(','),
})

/** UTF-8, which node writes byte by byte. ATTACK: a line break would begin a header of its own. */
const bytes = (text: string): string =>
  Buffer.from(text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()).toString('latin1')

/** ATTACK: whoever may name a group names one `staff,admins`. */
const listed = (group: string): string => bytes(group).replace(/[%,]/g, (sign) => (sign === ',' ? '%2C' : '%25'))
