/** OpenID Connect Discovery 1.0 and RFC 8414: the document, and the keys that it leads to. */
import { expect } from 'vitest'
import type { Modules } from '../op/plan.ts'

/** Discovery §3, RFC 8414 §2 and what came after: the JSON type of every member there is; another one is not known to clients. */
const MEMBERS: readonly [shape: 'url' | 'list' | 'flag', names: readonly string[]][] = [
  [
    'url',
    [
      'issuer',
      'authorization_endpoint',
      'token_endpoint',
      'userinfo_endpoint',
      'jwks_uri',
      'end_session_endpoint',
      'introspection_endpoint',
      'revocation_endpoint',
      'device_authorization_endpoint',
      'pushed_authorization_request_endpoint',
      'registration_endpoint',
      'backchannel_authentication_endpoint',
    ],
  ],
  [
    'list',
    [
      'scopes_supported',
      'response_types_supported',
      'response_modes_supported',
      'grant_types_supported',
      'acr_values_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
      'userinfo_signing_alg_values_supported',
      'request_object_signing_alg_values_supported',
      'authorization_signing_alg_values_supported',
      'introspection_signing_alg_values_supported',
      'dpop_signing_alg_values_supported',
      'token_endpoint_auth_methods_supported',
      'token_endpoint_auth_signing_alg_values_supported',
      'introspection_endpoint_auth_methods_supported',
      'introspection_endpoint_auth_signing_alg_values_supported',
      'revocation_endpoint_auth_methods_supported',
      'revocation_endpoint_auth_signing_alg_values_supported',
      'display_values_supported',
      'claim_types_supported',
      'claims_supported',
      'claims_locales_supported',
      'ui_locales_supported',
      'code_challenge_methods_supported',
      'authorization_details_types_supported',
      'prompt_values_supported',
      'backchannel_token_delivery_modes_supported',
      'backchannel_authentication_request_signing_alg_values_supported',
    ],
  ],
  [
    'flag',
    [
      'claims_parameter_supported',
      'request_parameter_supported',
      'request_uri_parameter_supported',
      'require_request_uri_registration',
      'require_pushed_authorization_requests',
      'require_signed_request_object',
      'authorization_response_iss_parameter_supported',
      'backchannel_logout_supported',
      'backchannel_logout_session_supported',
      'frontchannel_logout_supported',
      'frontchannel_logout_session_supported',
      'backchannel_user_code_parameter_supported',
      'tls_client_certificate_bound_access_tokens',
      'client_id_metadata_document_supported',
    ],
  ],
]

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const LISTS_OF_URLS = ['mtls_endpoint_aliases']

export const DISCOVERY: Modules = {
  async 'oidcc-discovery-endpoint-verification'(op) {
    const at = `${op.issuer}/.well-known/openid-configuration`
    const response = await op.fetch(at)
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      expect.stringMatching(/^application\/json/),
    ])
    const document = (await response.json()) as Record<string, unknown>
    // §4.3: the same string, and no more
    expect(`${document['issuer']}/.well-known/openid-configuration`).toBe(at)

    const shapes = new Map(MEMBERS.flatMap(([shape, names]) => names.map((name) => [name, shape] as const)))
    expect(Object.keys(document).filter((name) => !shapes.has(name) && !LISTS_OF_URLS.includes(name))).toEqual([])
    for (const [name, value] of Object.entries(document)) {
      const shape = shapes.get(name)
      if (shape === 'flag') expect([name, typeof value]).toEqual([name, 'boolean'])
      else if (shape === 'list') {
        expect([name, Array.isArray(value) && value.every((one) => typeof one === 'string')]).toEqual([name, true])
        expect(new Set(value as string[]).size).toBe((value as string[]).length)
      } else
        for (const url of shape === 'url' ? [value] : Object.values(value as object))
          expect([name, new URL(String(url)).protocol, new URL(String(url)).hash]).toEqual([name, 'https:', ''])
    }

    const list = (name: string) => document[name] as string[]
    for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri'])
      expect(document).toHaveProperty([name])
    expect(list('response_types_supported')).toContain('code')
    expect(['public', 'pairwise']).toEqual(expect.arrayContaining(list('subject_types_supported')))
    expect(list('subject_types_supported').length).toBeGreaterThan(0)
    expect(list('id_token_signing_alg_values_supported')).toContain('RS256')
    expect(list('grant_types_supported')).toContain('authorization_code')
    expect(list('claims_supported')).toContain('sub')
    expect(list('scopes_supported')).toContain('openid')
    // RFC 6749 §3.3
    for (const scope of list('scopes_supported')) expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
    for (const name of ['ui_locales_supported', 'claims_locales_supported'])
      for (const tag of list(name) ?? []) expect(Intl.getCanonicalLocales(tag)).toEqual([tag])
    expect(list('code_challenge_methods_supported')).toContain('S256')

    const { keys } = (await (await op.fetch(String(document['jwks_uri']))).json()) as {
      keys: Record<string, unknown>[]
    }
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(keys.length)
    for (const key of keys) {
      expect(key).toMatchObject({ kid: expect.any(String), kty: expect.stringMatching(/^(RSA|EC|OKP)$/) })
      expect(Object.keys(key).filter((name) => PRIVATE.includes(name))).toEqual([])
    }
    for (const alg of list('id_token_signing_alg_values_supported'))
      expect(keys.some((key) => key['alg'] === alg || (alg === 'EdDSA' && key['kty'] === 'OKP'))).toBe(true)
  },
}
