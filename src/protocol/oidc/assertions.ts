/** What is looked at in an assertion by which a client authenticates (RFC 7523 §3), beyond what the engine looks at. */
import { type Configuration, errors } from 'oidc-provider'
import { isCanonical } from '#apis'
import type { Clock } from '#core/clock'
import { assertionFault } from './profiles.ts'
import type { ProvingKeys } from './proving-keys.ts'

/** 9999-12-31T23:59:59Z */
const LAST_SECOND = 253_402_300_799

type Check = NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']>

export function checkAssertion(issuer: string, clock: Clock, provingKeys: ProvingKeys): Check {
  return async (ctx, claims, header, client) => {
    const { oidc } = ctx
    if (!isCanonical(String(oidc.params?.['client_assertion'])))
      throw new errors.InvalidClientAuth('client assertion is not canonical base64url')
    // a mark of use cannot be kept for ever
    if (!Number.isSafeInteger(claims.exp) || Number(claims.exp) > LAST_SECOND)
      throw new errors.InvalidClientAuth('client assertion has no end that is a time')
    const fault = assertionFault({ claims, header, client, now: clock.now() / 1000, issuer })
    if (fault) throw new errors.InvalidClientAuth(fault)
    await provingKeys.note(ctx, header)
  }
}
