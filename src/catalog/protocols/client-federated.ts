/**
 * Federated credentials: a client that has no key of its own, and shows a token by which somebody else vouches for it: a
 * cluster for a service account, a build server for a job (RFC 7523, with a foreign issuer).
 */
import { z } from 'zod'
import type { AddressAt, Rule } from './protocol.ts'

const MOST = 10
const text = z.string().regex(/^[\x21-\x7e]{1,500}$/, 'expected visible characters without blanks')

export const federatedFields = {
  federated: z
    .array(
      z.strictObject({
        issuer: z.string().max(500).describe("The token's `iss`, as it stands there"),
        subject: text.describe("The token's `sub`, whole"),
        audience: text.optional().describe("One of the token's `aud`; by default the gateway's own issuer"),
        jwks_uri: z
          .string()
          .optional()
          .describe("Where the issuer's keys are; by default what its discovery document says"),
        reuse: z
          .boolean()
          .optional()
          .describe('A token may be shown again until it ends, as those of service accounts have to be'),
      }),
    )
    .min(1)
    .max(MOST, `expected at most ${MOST}`)
    .describe('Tokens of others that stand for the key of the app'),
}

export type Federated = Readonly<z.output<typeof federatedFields.federated>[number]>

export interface FederatedDefinition {
  readonly federated?: readonly Federated[]
}

export const federatedAddresses = ({ federated = [] }: FederatedDefinition): AddressAt[] =>
  federated.flatMap(({ issuer, jwks_uri }, i): AddressAt[] => [
    { path: ['federated', i, 'issuer'], text: issuer, use: 'endpoint' },
    ...(jwks_uri === undefined
      ? []
      : [{ path: ['federated', i, 'jwks_uri'], text: jwks_uri, use: 'endpoint' } as const]),
  ])

interface Registered extends FederatedDefinition {
  readonly token_endpoint_auth_method: string
  readonly profile?: string
  readonly jwks?: unknown
  readonly jwks_uri?: string
}

export function federatedRules(oidc: Registered): readonly Rule[] {
  if (oidc.federated === undefined) return []
  return [
    [
      oidc.token_endpoint_auth_method === 'private_key_jwt' && (oidc.jwks ?? oidc.jwks_uri) === undefined,
      ['federated'],
      'federated-beside',
      'stands for the key of `private_key_jwt`; expected that method, and neither `jwks` nor `jwks_uri`',
    ],
    [
      oidc.profile === undefined,
      ['federated'],
      'profile-authentication',
      `holds tokens of others, but with \`profile: ${oidc.profile}\` the app signs by itself`,
    ],
  ]
}
