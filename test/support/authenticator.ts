/**
 * A passkey authenticator in software, for flows and for answers that are wrong in exactly one way. Written from WebAuthn
 * Level 3 and RFC 8949, with nothing of the library that checks it.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface AuthenticatorOptions {
  /** The host name that credentials are bound to. */
  readonly rpId: string
  /** Of the page that the browser shows: scheme, host and port. */
  readonly origin: string
  /** True by default: the key may be copied between devices, and has been. */
  readonly synced?: boolean
  /** Counts uses; false leaves the counter at 0 for ever, as synced passkeys do. True by default. */
  readonly counting?: boolean
}

export interface Credential {
  readonly id: string
  readonly userHandle: string
  readonly key: KeyObject
  counter: number
}

/** What a dishonest browser or authenticator does differently. */
export interface Knobs {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  readonly userVerified?: boolean
  readonly userPresent?: boolean
  readonly backupEligible?: boolean
  readonly backedUp?: boolean
  readonly counter?: number
  /** The name under which the answer goes; the key stays. */
  readonly credentialId?: string
  readonly userHandle?: string | undefined
  /** Which of several credentials answers; by default the first that is allowed. */
  readonly credential?: Credential
  /** Signs with another key. */
  readonly key?: KeyObject
  /** CBOR of another attestation statement, with its format. */
  readonly attestation?: { readonly format: string; readonly statement: ReadonlyMap<string, unknown> }
}

type Json = Record<string, unknown>

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url')
const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest()

/** RFC 8949 §3: the major type and the argument in the shortest form. */
function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.from([(major << 5) | argument])
  if (argument < 256) return Buffer.from([(major << 5) | 24, argument])
  return Buffer.from([(major << 5) | 25, argument >> 8, argument & 255])
}

export function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  if (value instanceof Map) {
    const entries = [...value].flatMap(([key, item]) => [cbor(key), cbor(item)])
    return Buffer.concat([head(5, value.size), ...entries])
  }
  throw new TypeError('not a value that authenticators send')
}

/** RFC 9053 §7.1.1: an EC2 key on P-256 for ES256. */
function coseKey(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: 'jwk' })
  const point = (text: string | undefined) => Buffer.from(text!, 'base64url')
  return cbor(
    new Map<number, unknown>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, point(x)],
      [-3, point(y)],
    ]),
  )
}

export function createAuthenticator({ rpId, origin, synced = true, counting = true }: AuthenticatorOptions) {
  const credentials: Credential[] = []

  const clientData = (type: string, challenge: string, knobs: Knobs) =>
    Buffer.from(
      JSON.stringify({
        type: knobs.type ?? type,
        challenge: knobs.challenge ?? challenge,
        origin: knobs.origin ?? origin,
        crossOrigin: knobs.crossOrigin ?? false,
      }),
    )

  /** WebAuthn §6.1. */
  function authenticatorData(knobs: Knobs, counter: number, attested?: Buffer): Buffer {
    const { userPresent = true, userVerified = true, backupEligible = synced, backedUp = backupEligible } = knobs
    const flags =
      (userPresent ? 1 : 0) |
      (userVerified ? 4 : 0) |
      (backupEligible ? 8 : 0) |
      (backedUp ? 16 : 0) |
      (attested ? 64 : 0)
    const rest = Buffer.alloc(5)
    rest[0] = flags
    rest.writeUInt32BE(knobs.counter ?? counter, 1)
    return Buffer.concat([sha256(knobs.rpId ?? rpId), rest, attested ?? Buffer.alloc(0)])
  }

  return {
    credentials,

    /** `navigator.credentials.create()`: takes the creation options as JSON, answers `RegistrationResponseJSON`. */
    create(options: unknown, knobs: Knobs = {}): Json {
      const { challenge, user } = options as { challenge: string; user: { id: string } }
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const idBytes = knobs.credentialId ? Buffer.from(knobs.credentialId, 'base64url') : randomBytes(32)
      const id = base64url(idBytes)
      credentials.push({ id, userHandle: user.id, key: privateKey, counter: 0 })
      const length = Buffer.from([idBytes.length >> 8, idBytes.length & 255])
      const attested = Buffer.concat([Buffer.alloc(16), length, idBytes, coseKey(publicKey)])
      const { format, statement } = knobs.attestation ?? { format: 'none', statement: new Map() }
      const attestationObject = cbor(
        new Map<string, unknown>([
          ['fmt', format],
          ['attStmt', statement],
          ['authData', authenticatorData(knobs, 0, attested)],
        ]),
      )
      return {
        id,
        rawId: id,
        type: 'public-key',
        response: {
          clientDataJSON: base64url(clientData('webauthn.create', challenge, knobs)),
          attestationObject: base64url(attestationObject),
          transports: ['internal', 'hybrid'],
        },
        clientExtensionResults: {},
        authenticatorAttachment: 'platform',
      }
    },

    /** `navigator.credentials.get()`: takes the request options as JSON, answers `AuthenticationResponseJSON`. */
    get(options: unknown, knobs: Knobs = {}): Json {
      const { challenge, allowCredentials } = options as { challenge: string; allowCredentials?: { id: string }[] }
      const allowed = (one: Credential) => !allowCredentials?.length || allowCredentials.some(({ id }) => id === one.id)
      const credential = knobs.credential ?? credentials.find(allowed)
      if (!credential) throw new Error('the authenticator has no passkey that is allowed here')
      if (counting) credential.counter++
      const data = authenticatorData(knobs, credential.counter)
      const client = clientData('webauthn.get', challenge, knobs)
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), knobs.key ?? credential.key)
      const id = knobs.credentialId ?? credential.id
      const userHandle = 'userHandle' in knobs ? knobs.userHandle : credential.userHandle
      return {
        id,
        rawId: id,
        type: 'public-key',
        response: {
          clientDataJSON: base64url(client),
          authenticatorData: base64url(data),
          signature: base64url(signature),
          ...(userHandle === undefined ? {} : { userHandle }),
        },
        clientExtensionResults: {},
        authenticatorAttachment: 'platform',
      }
    },
  }
}

export type Authenticator = ReturnType<typeof createAuthenticator>
