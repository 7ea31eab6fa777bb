/** The engine with two APIs and the programs that call them, for `../apis/`. */
import { generateKeyPairSync } from 'node:crypto'
import type { Configuration } from 'oidc-provider'
import { CALLER, JWT, LIFE, OPAQUE, type ProgramKey, READER, SIGNER } from '../apis/subjects.ts'
import { bareSecret } from '../subjects.ts'

const machine = (id: string, more: object) => ({
  client_id: id,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  ...more,
})

export function bareApis(publicJwk: ProgramKey['publicJwk']) {
  const { privateKey } = generateKeyPairSync('ed25519')
  return {
    keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig', kid: 'apis' }],
    clients: [
      machine(CALLER, { client_secret: bareSecret(CALLER) }),
      machine(READER, { client_secret: bareSecret(READER) }),
      machine(SIGNER, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } }),
    ],
    features: {
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'orders:read',
          audience: resource,
          accessTokenTTL: LIFE,
          ...(resource === OPAQUE ? { accessTokenFormat: 'opaque' as const } : {}),
          ...(resource === JWT ? { accessTokenFormat: 'jwt' as const, jwt: { sign: { alg: 'EdDSA' as const } } } : {}),
        }),
      },
    } satisfies Configuration['features'],
  }
}
