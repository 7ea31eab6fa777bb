/** Passkeys: WebAuthn Level 3, discoverable, always with user verification. */
import { createHash } from 'node:crypto'
import { randomBytes, randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { type Factor, type FactorParts, type FactorRow, labelOf, type Right, type Wrong } from '../factor.ts'
import { CHALLENGE_LIFE, ENROLMENT_LIFE, MOST_PASSKEYS } from '../limits.ts'
import { isPlainAttestation, readAuthentication, readClientData, readRegistration } from './passkey-response.ts'
import { createPasskeyStore, type PasskeyRow, passkeyMigrations } from './passkey-store.ts'
import { webauthn } from './webauthn.ts'

/** COSE: ES256, EdDSA, RS256, in the order of our liking. */
const ALGORITHMS = [-7, -8, -257]
const CHALLENGE_BYTES = 32

/** What the authenticator keeps as the account: the same for all passkeys of a person, and it tells nobody who that is. */
const userHandle = (personId: string) =>
  Uint8Array.from(createHash('sha256').update(`passkey user ${personId}`).digest())

/**
 * RFC 8176. `hwk`: the key cannot be copied, says the authenticator (no attestation backs it); `swk` otherwise. `user`:
 * a person was there. `mfa`: the authenticator checked that person by PIN or body, so one gesture proves two factors.
 */
const amrOf = (hardware: boolean): readonly string[] => [hardware ? 'hwk' : 'swk', 'user', 'mfa']

function create({ storage, clock, issuer, organisation }: FactorParts): Factor {
  const store = createPasskeyStore(storage)
  const { origin, hostname: rpID } = new URL(issuer)
  const descriptors = (rows: readonly PasskeyRow[]) =>
    rows.map((row) => ({ id: row.credential_id, transports: JSON.parse(row.transports) as string[] }))

  /** What can be said about an answer without any cryptography; the code names the first thing wrong. */
  function problemOf(clientDataJSON: string): string | undefined {
    const said = readClientData(clientDataJSON)
    if (!said) return 'client-data-unreadable'
    if (said.origin !== origin) return 'origin-not-ours'
    // ATTACK: our page in somebody's frame
    return said.crossOrigin ? 'cross-origin' : undefined
  }

  async function verify(input: unknown, personId: string | undefined, nonce: string): Promise<Right | Wrong> {
    const response = readAuthentication(input)
    if (!response) return { wrong: 'input-invalid' }
    const problem = problemOf(response.response.clientDataJSON)
    if (problem) return { wrong: problem }
    const row = await store.byCredential(response.id)
    if (!row) return { wrong: 'credential-unknown' }
    if (personId !== undefined && row.person_id !== personId) return { wrong: 'another-person' }
    // §7.2 step 6: who nobody named before is named by the authenticator, and must be the owner of the credential
    const handle = response.response.userHandle
    const owner = Buffer.from(userHandle(row.made_for ?? row.person_id)).toString('base64url')
    if (handle === undefined ? personId === undefined : handle !== owner) return { wrong: 'user-handle' }

    const { verifyAuthenticationResponse } = await webauthn()
    const checked = await verifyAuthenticationResponse({
      response,
      expectedChallenge: nonce,
      expectedOrigin: origin,
      expectedRPID: rpID,
      requireUserVerification: true,
      // the library compares the counter before the signature; we do afterwards, so that only the key itself can make
      // us believe in a clone
      credential: {
        id: row.credential_id,
        publicKey: Uint8Array.from(Buffer.from(row.public_key, 'base64url')),
        counter: 0,
      },
    }).catch(() => undefined)
    if (!checked?.verified) return { wrong: 'response-refused' }
    const info = checked.authenticationInfo
    // §7.2 step 19: what could not be backed up at first never can
    if (info.credentialDeviceType !== row.device_type) return { wrong: 'backup-eligibility-changed' }
    const used = { counter: info.newCounter, backedUp: info.credentialBackedUp, now: clock.now() }
    // ATTACK: §7.2 step 22, §6.1.1: a counter that stands still or goes back means that somebody has a copy of the key
    if (!(await store.use(row.id, used))) return { wrong: 'counter-went-back' }
    const hardware = row.device_type === 'singleDevice'
    return { personId: row.person_id, amr: amrOf(hardware), userVerified: true, hardware, credential: row.id }
  }

  return Object.freeze({
    description: Object.freeze({
      kind: 'passkey',
      // the authenticator holds a key and knows its person by body or PIN; which of the two, it does not tell
      of: ['possession', 'inherence'],
      phishingResistant: true,
      amr: ['hwk', 'swk', 'user', 'mfa'],
    } as const),
    lane: 'passkey',
    refusal: 'passkey-invalid',

    async enrolled(personId) {
      return (await store.ofPerson(personId)).map((row) => ({
        id: row.id,
        kind: 'passkey' as const,
        label: row.label,
        createdAt: Number(row.created_at),
        ...(row.last_used_at === null ? {} : { lastUsedAt: Number(row.last_used_at) }),
        backedUp: row.backed_up === 1,
        hardware: row.device_type === 'singleDevice',
      }))
    },

    challenge: {
      async make(personId, nonce) {
        const allowed = personId === undefined ? {} : { allowCredentials: descriptors(await store.ofPerson(personId)) }
        const { generateAuthenticationOptions } = await webauthn()
        return generateAuthenticationOptions({
          rpID,
          challenge: nonce,
          userVerification: 'required',
          timeout: CHALLENGE_LIFE,
          ...allowed,
        })
      },
      nonceIn: (input) => readClientData(readAuthentication(input)?.response.clientDataJSON ?? '')?.challenge,
    },

    verify: (input, { personId }, nonce) => verify(input, personId, nonce),

    enrolment: {
      event: 'factor-enrolled',
      tries: 1,

      async begin({ personId, username, name }) {
        const known = await store.ofPerson(personId)
        if (known.length >= MOST_PASSKEYS) throw new Refusal('factors-full', 'passkey')
        const { generateRegistrationOptions } = await webauthn()
        const options = await generateRegistrationOptions({
          rpName: organisation,
          rpID,
          userID: userHandle(personId),
          userName: username,
          userDisplayName: name,
          challenge: Uint8Array.from(randomBytes(CHALLENGE_BYTES)),
          timeout: ENROLMENT_LIFE,
          attestationType: 'none',
          excludeCredentials: descriptors(known),
          authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
          supportedAlgorithmIDs: ALGORITHMS,
        })
        return { options, pending: options.challenge }
      },

      async finish(input, { personId, label, pending }) {
        const response = readRegistration(input)
        if (!response) return { wrong: 'input-invalid' }
        const problem = problemOf(response.response.clientDataJSON)
        if (problem) return { wrong: problem }
        const { decodeAttestationObject, verifyRegistrationResponse } = await webauthn()
        if (!isPlainAttestation(response.response.attestationObject, decodeAttestationObject))
          return { wrong: 'attestation-unasked' }
        const checked = await verifyRegistrationResponse({
          response,
          expectedChallenge: pending,
          expectedOrigin: origin,
          expectedRPID: rpID,
          requireUserVerification: true,
          supportedAlgorithmIDs: ALGORITHMS,
        }).catch(() => undefined)
        if (!checked?.verified) return { wrong: 'response-refused' }
        const { credential, credentialDeviceType, credentialBackedUp, aaguid } = checked.registrationInfo
        const id = randomId()
        const added = await store.add({
          id,
          person_id: personId,
          credential_id: credential.id,
          public_key: Buffer.from(credential.publicKey).toString('base64url'),
          counter: credential.counter,
          transports: JSON.stringify(credential.transports ?? []),
          device_type: credentialDeviceType,
          backed_up: credentialBackedUp ? 1 : 0,
          aaguid,
          label: labelOf(label, 'Passkey'),
          created_at: clock.now(),
          last_used_at: null,
          made_for: null,
        })
        // §7.1 step 26: a credential id that somebody has already is not registered again
        if (!added) return { wrong: 'credential-known' }
        const hardware = credentialDeviceType === 'singleDevice'
        return { id, proof: { amr: amrOf(hardware), userVerified: true, hardware, credential: id } }
      },
    },

    remove: store.remove,
    removeAll: store.removeAll,
    move: store.move,
  } satisfies Factor)
}

export const passkey: FactorRow = Object.freeze({
  create,
  migrations: passkeyMigrations,
  warm: async () => void (await webauthn()),
})
