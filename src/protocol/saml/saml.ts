/**
 * The SAML 2.0 door: an identity provider for apps that speak SAML. Everything a protocol does: translate in, `access.ask()`,
 * translate out. What both ends of SAML share (reading, writing, signatures) is in `#saml`.
 *
 * - `open.ts`     the addresses                          - `rooms.ts`     what this door needs
 * - `incoming.ts` a message: from whom, and signed?      - `request.ts`   what an app asks for, checked, in our words
 * - `sign-on.ts`  from a request to its answer           - `kept.ts`      requests that wait while somebody signs in
 * - `response.ts` what is answered                       - `names.ts`, `attributes.ts`, `contexts.ts` what stands in it
 * - `opened.ts`   which sessions an app knows            - `visitor.ts`   who stands behind a request
 * - `metadata.ts` what we say about ourselves            - `keys.ts`      our keys, and their overlap at rotation
 * - `slo.ts`      apps that sign somebody out           - `answering.ts` what they hear of that
 * - `telling.ts`  apps that hear of an end
 * - `app-metadata.ts` what apps say about themselves  - `refresh.ts`   read again now and then
 * - `tables.ts`   keys and one secret                - `diagnosing.ts` what apps do wrong here, told to `#diagnosis`
 *
 * INVARIANT: nothing is ever sent to an address that is not in the app's registration.
 */
import type { SamlDoor } from './open.ts'
import type { SamlOptions } from './rooms.ts'

export { LARGEST_METADATA, readAppMetadata } from './app-metadata.ts'
export { createSamlKeys, PUBLISHED_BEFORE, type SamlKey, type SamlKeys } from './keys.ts'
export type { SamlDoor } from './open.ts'
export type { SamlOptions } from './rooms.ts'
export { samlMigrations } from './tables.ts'
export { attachSamlEndings } from './telling.ts'

/** Loads the door only now: the command line opens the rooms without it. */
export const openSaml = async (options: SamlOptions): Promise<SamlDoor> => (await import('./open.ts')).openSaml(options)
