/** The keys of issuers whose tokens stand for a client: read when they are needed, and kept for a while. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { type Clock, type Instant, minutes, seconds } from '#core/clock'
import { createRecent } from '#core/recent'
import type { Outbound } from '#http'

const KEPT = minutes(10)
/** A key that nobody knows is looked for again, and an issuer that did not answer asked again, not before this. */
const AGAIN = seconds(30)
const MOST_ISSUERS = 500
const MOST_KEYS = 100

type Issuer = { readonly issuer: string; readonly jwks_uri?: string | undefined }

interface Known {
  readonly at: Instant
  readonly keys: Promise<JWTVerifyGetKey>
}

/** ATTACK: what a token says about where keys are (`jku`, `x5u`, `jwk`) is never looked at: only the registration counts. */
export function createForeignKeys({ outbound, clock }: { outbound: Outbound; clock: Clock }) {
  const known = createRecent<string, Known>(MOST_ISSUERS)

  async function json(url: string): Promise<Record<string, unknown>> {
    const { status, body } = await outbound(url, { headers: { accept: 'application/json' } })
    const read = status === 200 ? JSON.parse(body) : undefined
    if (typeof read !== 'object' || read === null) throw new Error('keys of the issuer cannot be read')
    return read as Record<string, unknown>
  }

  async function read({ issuer, jwks_uri }: Issuer): Promise<JWTVerifyGetKey> {
    let address = jwks_uri
    if (address === undefined) {
      // OIDC Discovery §4.1, §4.3
      const found = await json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
      address = String(found['jwks_uri'])
      const safe = address.startsWith('https:') || !issuer.startsWith('https:')
      if (found['issuer'] !== issuer || !safe) throw new Error('discovery document is not of this issuer')
    }
    const { keys } = await json(address)
    if (!Array.isArray(keys) || keys.length > MOST_KEYS) throw new Error('keys of the issuer are no list')
    return createLocalJWKSet({ keys } as JSONWebKeySet)
  }

  function keysOf(from: Issuer, oldest: Instant): Known {
    const name = JSON.stringify([from.issuer, from.jwks_uri])
    const found = known.get(name)
    if (found && found.at > oldest) return found
    const keys = read(from)
    const made = { at: clock.now(), keys }
    known.set(name, made)
    // whoever waits is told; nobody has to
    keys.catch(() => known.set(name, { ...made, at: clock.now() - KEPT + AGAIN }))
    return made
  }

  return (from: Issuer): JWTVerifyGetKey =>
    async (header, token) => {
      const { keys } = keysOf(from, clock.now() - KEPT)
      try {
        return await (await keys)(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        return (await keysOf(from, clock.now() - AGAIN).keys)(header, token)
      }
    }
}
