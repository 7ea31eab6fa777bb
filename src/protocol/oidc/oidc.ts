/**
 * The OpenID Connect door. Everything a protocol does: translate in, `access.ask()`, translate out. The engine is
 * oidc-provider; nothing of it is known outside this room.
 *
 * - `engine.ts`    the engine's configuration: features, lifetimes, what it may never do
 * - `signing-key.ts` our keys as its own: it never holds a private one
 * - `addresses.ts` which paths and methods reach it
 * - `adapter.ts`   its storage on our state contract; spending a code or token is one compare-and-swap
 * - `bridge.ts`    its browser session: a view of ours that exists only for the length of a request
 * - `question.ts`  its interaction policy: each authorization request is one question to `access/`
 * - `errand.ts`    where somebody has to be asked: the way into the conversation, and back
 * - `token-judge.ts` each token is one question; `token-limits.ts` what rules say about its scopes and its life
 * - `short-ways/`  the usual token requests without the engine's detours
 * - `dpop.ts`      tokens bound to a key of the client        - `replay.ts`  what may be shown once
 * - `mutual-tls.ts` clients that come with a certificate; `certificates/` who signed it, and whether it was taken back
 * - `profiles.ts` FAPI 2.0, signed requests and answers
 * - `federated.ts` tokens of others that stand for a client   - `foreign-keys.ts` by whose keys they are signed
 * - `proving-keys.ts` with which of its keys a client came  - `ended.ts`  what is over before its time, found by nobody
 * - `clients.ts`   registered apps as the engine's clients    - `grants.ts`  consent, per person and app
 * - `authorization-details.ts` details of types that APIs declare; `asked-details.ts` those of a request
 * - `registration.ts` clients that register themselves
 * - `agreement.ts` what is asked for each request anew
 * - `account.ts`   claims about people                        - `logout.ts`  an app asks for a sign-out
 * - `sign-out-way.ts` how an app hears of one; `back-channel.ts` sends it
 * - `diagnosing.ts` what apps do wrong here, told to `#diagnosis`; `seen.ts` by what it is known
 * - `ciba/`        an app asks, another screen confirms: `feature.ts` asking, `polling.ts` waiting, `confirmations.ts` answering,
 *   `asked.ts` what waits for whom, `asker.ts` who asks
 * - `shown-token.ts` tokens that a client shows for somebody
 * - `device.ts`    the pages of the device flow; `user-codes.ts` how many wrong codes are listened to
 * - `endings.ts`   what ends with a session or a person
 *
 * A new grant type or client authentication method: `engine.ts`. A new claim: `account.ts`.
 */
import type { OidcDoor, OidcOptions } from './open.ts'

export { type RevocationList, revocationListsOf } from './certificates/revocation-lists.ts'
export type { Answered, Answerer, Confirmation, Confirmations } from './ciba/confirmations.ts'
export { attachEndings, type Endings } from './endings.ts'
export { consentMigrations, createConsents } from './grants.ts'
export { authoritiesOf, bindingCertificateOf, type CertificateSettings } from './mutual-tls.ts'
export type { OidcDoor, OidcOptions } from './open.ts'
export { USER_CODE_LIMITS } from './user-codes.ts'

/** Loads the engine only now: the command line opens the rooms without it. */
export const openOidc = async (options: OidcOptions): Promise<OidcDoor> => (await import('./open.ts')).openOidc(options)
