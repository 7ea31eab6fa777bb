/** The protocols that apps speak. The first one that a template has is the one that it is registered with. */
import { forwardAuth } from './forward-auth.ts'
import { oidc } from './oidc.ts'
import { saml } from './saml.ts'

export const PROTOCOLS = Object.freeze({ oidc, saml, forward_auth: forwardAuth })
export type ProtocolKey = keyof typeof PROTOCOLS
export const PROTOCOL_KEYS = Object.freeze(Object.keys(PROTOCOLS) as ProtocolKey[])
