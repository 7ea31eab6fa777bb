/** A client of FAPI 2.0: it signs assertions (RFC 7523) and proofs of possession (RFC 9449), and pushes its requests (RFC 9126). */
import { constants, createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { expect } from 'vitest'
import type { Manifest } from '#catalog'
import { certifiedJwk } from '../../support/certified.ts'
import {
  ecKeys,
  es256,
  type Json,
  jwt,
  type Keys,
  now,
  type ProofParts,
  proof,
  registered,
  type Signer,
} from '../../support/proofs.ts'
import type { Op } from '../op/op.ts'

export interface Party {
  readonly id: string
  readonly redirectUri: string
  /** Of its assertions and requests. */
  readonly keys: Keys
  /** Registered too, for no algorithm in particular. */
  readonly rsa: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  /** Of its proofs. */
  readonly proofKeys: Keys
  /** With which certificate it comes, to which its tokens are bound then; undefined: they are bound by proofs. */
  readonly certificate?: string
  /** It is known by the certificate, and signs no assertion. */
  readonly known?: 'tls_client_auth' | 'self_signed_tls_client_auth'
}

export const partyOf = (origin: string, id: string, more: Pick<Party, 'certificate' | 'known'> = {}): Party => ({
  ...more,
  id,
  redirectUri: `${origin}/${id}/callback`,
  keys: ecKeys(),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  proofKeys: ecKeys(),
})

/** As it stands in its manifest. */
export const manifestOf = (
  { id, redirectUri, keys, rsa, certificate, known }: Party,
  profile: 'fapi2' | 'fapi2-message-signing',
  certificates: string,
): Manifest => {
  const signing = [
    { ...registered(keys, `${id}-key`), kty: 'EC' as const },
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: `${id}-rsa`, use: 'sig', kty: 'RSA' as const },
  ]
  const own = { ...certifiedJwk(certificates, certificate ?? 'self'), kty: 'EC' as const }
  const all = [
    ...(known === undefined || profile === 'fapi2-message-signing' ? signing : []),
    ...(known === 'self_signed_tls_client_auth' ? [own] : []),
  ]
  return {
    id,
    name: `Client ${id}`,
    policy: 'plain',
    audience: ['*'],
    oidc: {
      redirect_uris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: known ?? 'private_key_jwt',
      ...(known === 'tls_client_auth' ? { tls_client_auth_san_dns: 'signed.example.com' } : {}),
      ...(all.length > 0 ? { jwks: { keys: all } } : {}),
      ...(certificate ? { tls_client_certificate_bound_access_tokens: true } : { dpop_bound_access_tokens: true }),
      profile,
    },
  }
}

/** What a module changes about an assertion; `undefined` takes a claim away. */
export interface AssertionParts {
  readonly header?: Json
  readonly claims?: Json
  readonly signer?: Signer
}

/** Signed by the other key of the client: RS256, which is none of the profile's algorithms, or PS256, which is. */
export const byRsa = ({ id, rsa }: Party, alg: 'RS256' | 'PS256'): AssertionParts => {
  const padding = alg === 'PS256' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  return {
    header: { alg, kid: `${id}-rsa` },
    signer: (signed) =>
      sign('sha256', Buffer.from(signed), { key: rsa.privateKey, padding, saltLength: 32 }).toString('base64url'),
  }
}

/** FAPI 2.0 Security Profile §5.3.3.1: for the issuer, and for nothing else. */
export const assertionOf = (op: Op, { id, keys }: Party, { header, claims, signer }: AssertionParts = {}): string =>
  jwt(
    { alg: 'ES256', kid: `${id}-key`, ...header },
    { iss: id, sub: id, aud: op.metadata.issuer, jti: randomUUID(), iat: now(), exp: now() + 60, ...claims },
    signer ?? es256(keys.privateKey),
  )

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

export interface Sending {
  readonly method?: string
  /** `null`: none is sent. */
  readonly assertion?: AssertionParts | null
  readonly proof?: (ProofParts & { readonly keys?: Keys }) | null
}

type Fields = Readonly<Record<string, string | undefined>>

/** Sends a form as the client; where a nonce is asked for (RFC 9449 §8) once more, with all that is used once made anew. */
export async function send(op: Op, party: Party, url: string, fields: Fields, how: Sending = {}): Promise<Answer> {
  const once = async (nonce: string | undefined): Promise<Answer> => {
    const assertion =
      party.known || how.assertion === null ? {} : assertionFields(assertionOf(op, party, how.assertion))
    const id = party.known && how.assertion !== null ? { client_id: party.id } : {}
    const all = Object.entries({ ...id, ...fields, ...assertion }).filter(
      (entry): entry is [string, string] => !!entry[1],
    )
    const { keys = party.proofKeys, ...parts } = how.proof ?? {}
    const claims = { ...(nonce === undefined ? {} : { nonce }), ...parts.claims }
    // a certificate stands for the proof, and where it is known by it for the assertion
    const comes =
      party.certificate &&
      !(party.known && how.assertion === null) &&
      (how.proof !== null || url !== op.metadata.token_endpoint)
    const response = await (comes ? op.fetchAs(party.certificate!) : op.fetch)(url, {
      method: how.method ?? 'POST',
      headers: how.proof === null || party.certificate ? {} : { dpop: proof(keys, url, { ...parts, claims }) },
      body: new URLSearchParams(all),
    })
    const text = await response.text()
    const json = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : {} }
  }
  const first = await once(undefined)
  return first.body['error'] === 'use_dpop_nonce' ? once(first.headers.get('dpop-nonce')!) : first
}

const assertionFields = (assertion: string): Fields => ({
  client_assertion: assertion,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
})

/** RFC 7636 §4: a verifier and what stands for it. */
export function verifierOf(): { readonly verifier: string; readonly challenge: string } {
  const verifier = `${randomUUID()}${randomUUID()}`
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** RFC 6749 §5.2, RFC 9126 §2.3: one of the errors, and nothing that could be used. */
export function refused({ status, body }: Answer, ...errors: readonly string[]): void {
  expect([400, 401]).toContain(status)
  expect(errors).toContain(body['error'])
  for (const name of ['access_token', 'request_uri']) expect(body).not.toHaveProperty(name)
  for (const name of ['error_description', 'error_uri'])
    if (body[name] !== undefined) expect(body[name]).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
}
