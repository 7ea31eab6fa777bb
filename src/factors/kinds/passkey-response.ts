/** What a browser sends for a passkey, read strictly before any library sees it (WebAuthn Level 3 §5.1). */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import type { decodeAttestationObject } from '@simplewebauthn/server/helpers'
import { z } from 'zod'

// ATTACK: one credential id in several spellings (padding, spare bits) would be several in a database
const canonical = (text: string) =>
  /^[A-Za-z0-9_-]+$/.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text
const bytes = (most: number) =>
  z
    .string()
    .max(Math.ceil((most * 4) / 3))
    .refine(canonical)

/** WebAuthn §4: at most 1023 bytes. */
const id = bytes(1023)
const envelope = { id, rawId: id, type: z.literal('public-key') }

const authentication = z.object({
  ...envelope,
  response: z.object({
    clientDataJSON: bytes(8192),
    authenticatorData: bytes(4096),
    signature: bytes(1024),
    // some browsers send null where there is none
    userHandle: bytes(64).nullish(),
  }),
})

const registration = z.object({
  ...envelope,
  response: z.object({
    clientDataJSON: bytes(8192),
    attestationObject: bytes(16_384),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,20}$/))
      .max(10)
      .optional(),
  }),
})

const clientData = z.object({
  type: z.string(),
  challenge: z.string(),
  origin: z.string(),
  crossOrigin: z.boolean().optional(),
})

export type ClientData = z.infer<typeof clientData>

/** Undefined for what is no answer of a passkey. Unknown members are dropped. */
export function readAuthentication(input: unknown): AuthenticationResponseJSON | undefined {
  const { success, data } = authentication.safeParse(input)
  if (!success) return undefined
  const { userHandle, ...response } = data.response
  return { ...data, response: userHandle ? { ...response, userHandle } : response, clientExtensionResults: {} }
}

export function readRegistration(input: unknown): RegistrationResponseJSON | undefined {
  const { success, data } = registration.safeParse(input)
  if (!success) return undefined
  const { transports, ...response } = data.response
  return { ...data, response: transports ? { ...response, transports } : response, clientExtensionResults: {} }
}

/** What the browser says about the ceremony; undefined when it cannot be read. */
export function readClientData(clientDataJSON: string): ClientData | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(clientDataJSON, 'base64url'))
    return clientData.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * Whether the attestation is one that we asked for: none, or the authenticator's own signature without certificates.
 * ATTACK: to check a certificate the library fetches revocation lists from addresses inside it, past our one door
 * outwards. We ask for no attestation, so nobody honest sends a certificate.
 */
export function isPlainAttestation(attestationObject: string, decode: typeof decodeAttestationObject): boolean {
  try {
    const decoded = decode(Uint8Array.from(Buffer.from(attestationObject, 'base64url')))
    const format = decoded.get('fmt')
    return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined)
  } catch {
    return false
  }
}
