/**
 * A SAML 2.0 identity provider, for which we are a service provider (Web Browser SSO, SAML 2.0 Profiles §4.1): signed requests by
 * redirect, answers by post, and only answers to requests of ours: who comes unasked is refused.
 */
import { stopwatch } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { type AssertionFacts, factsOf, SamlProblem, verifyResponse } from '#saml'
import { clockAt } from '../date-header.ts'
import type { Federated } from '../federation/federated.ts'
import { troubleOf } from '../federation/trouble.ts'
import type { DirectoryKind, OpenDirectory, Outside, TestStep, Tools } from '../kind.ts'
import { createOurKey } from './saml-keys.ts'
import { createSamlLogout, sessionOf } from './saml-logout.ts'
import {
  createMetadata,
  LIMIT,
  type Metadata,
  metadataEnds,
  type Provider,
  type SamlSettings,
  withKeysOf,
} from './saml-metadata.ts'
import { nameIdFormat, personOfAssertion } from './saml-person.ts'
import { type Ourselves, ourMetadata, requestUrl } from './saml-request.ts'

/** Of what is kept in the session without being a name of a person. */
const LONGEST_WORD = 200

export const saml = Object.freeze<DirectoryKind<'saml'>>({
  kind: 'saml',
  async open(settings, tools) {
    const wrong = (say: string) => new Refusal('settings-invalid', `directories: ${settings.id}: ${say}`)
    if (!tools.outside) throw wrong('a provider cannot be asked from here')
    if ((settings.metadata_url === undefined) === (settings.metadata_file === undefined))
      throw wrong('expected either `metadata_url` or `metadata_file`')
    const { outside } = tools
    const { metadata_url: url } = settings
    const metadata = createMetadata(settings, { ...tools, outside })
    return {
      id: settings.id,
      kind: 'saml',
      organisation: settings.organisation,
      local: false,
      federated: federate(settings, metadata, tools.outside, tools),
      async verify() {
        return 'wrong'
      },
      ...(metadata.reach ? { health: metadata.reach.health, look: metadata.reach.look } : {}),
      ends: () => metadataEnds(metadata),
      ...(url === undefined ? {} : { clock: () => clockAt(outside.outbound, url, LIMIT) }),
      test: () => test(settings, metadata),
    } satisfies OpenDirectory
  },
})

function federate(
  settings: SamlSettings,
  metadata: Metadata,
  { issuer, keys }: Outside,
  { clock, state, store, log }: Tools,
): Federated {
  const acs = `${issuer}/signin/back/${settings.id}`
  const entityId = settings.our_entity_id ?? `${acs}/metadata`
  const ourKey = createOurKey(settings.id, { store, keys, clock, name: new URL(issuer).hostname })
  const slo = `${acs}/logout`
  const ourselves = async (): Promise<Ourselves> => ({ entityId, acs, slo, ...(await ourKey()) })
  const logout = createSamlLogout({ settings, metadata, ourselves, clock, state, log })

  async function facts(posted: string, requestId: string, provider: Provider): Promise<AssertionFacts> {
    const { key } = await ourKey()
    const verified = await verifyResponse(posted, { certificates: provider.certificates, decryptionKey: key })
    const now = clock.now()
    return factsOf(verified, {
      issuer: settings.entity_id,
      audience: entityId,
      acs,
      requestId,
      now,
      decryptionKey: key,
    })
  }

  /** SAML 2.0 Profiles §4.1.4.5: an assertion counts once, over all processes, as long as its age would let it count. */
  async function spend({ id, goodUntil }: AssertionFacts): Promise<void> {
    const key = `saml-assertion:${settings.id}:${sha256(id)}`
    const ttl = Math.max(1000, goodUntil - clock.now())
    if (!(await state.add(key, '1', { ttl }))) throw new SamlProblem('replayed', 'the assertion was used before')
  }

  const refused = (error: unknown): unknown =>
    error instanceof SamlProblem
      ? new Refusal('upstream-refused', `directory ${settings.id}: saml ${error.fault}: ${error.message}`, {
          cause: error,
        })
      : error

  return {
    title: settings.title ?? settings.id,
    posts: true,

    async begin({ state: relayState, maxAge, strength }) {
      const { signInUrl } = await metadata.current()
      // Core §1.3.4: 128 random bits, and no digit first
      const id = `_${randomId()}`
      const context = strength === undefined ? undefined : settings.step_up_context?.[strength as 'any']
      // SAML knows no greatest age: who has to be fresh signs in anew
      const wish = {
        id,
        state: relayState,
        signInUrl,
        nameIdFormat: nameIdFormat(settings),
        anew: maxAge !== undefined,
        context,
        at: clock.now(),
      }
      return { url: await requestUrl(await ourselves(), wish), remembered: { state: relayState, id } }
    },

    async finish({ form }, remembered) {
      try {
        const posted = form.get('SAMLResponse')
        if (posted === undefined) throw new SamlProblem('answer-missing', 'nothing was posted')
        if (form.get('RelayState') !== remembered['state'])
          throw new SamlProblem('relay-state', 'the answer belongs to another request')
        const given = await withKeysOf(metadata, (provider) => facts(posted, remembered['id']!, provider))
        const person = personOfAssertion(given, settings)
        await spend(given)
        const methods = settings.attributes.methods
        return {
          person,
          amr:
            methods === undefined
              ? []
              : (given.attributes.get(methods) ?? []).filter(({ length }) => length <= LONGEST_WORD).slice(0, 20),
          ...(given.context === undefined ? {} : { acr: given.context }),
          at: given.authnInstant,
          session: sessionOf(given, { entityId, provider: settings.entity_id, otherwise: person.upstreamId }),
        }
      } catch (error) {
        throw refused(error)
      }
    },

    signOutThere: logout.signOutThere,
    async loggedOut(told) {
      try {
        return await logout.loggedOut(told)
      } catch (error) {
        throw refused(error)
      }
    },
    logoutRefused: logout.logoutRefused,

    async metadata() {
      return { type: 'application/samlmetadata+xml', body: ourMetadata(await ourselves(), nameIdFormat(settings)) }
    },
  }
}

async function* test(settings: SamlSettings, metadata: Metadata): AsyncGenerator<TestStep> {
  const started = stopwatch()
  let provider: Provider
  try {
    provider = await metadata.anew()
  } catch (error) {
    const told = troubleOf(error, 'look at `entity_id` and at `metadata_url` or `metadata_file`')
    yield { step: 'metadata', ok: false, ms: stopwatch() - started, ...told }
    return
  }
  yield { step: 'metadata', ok: true, ms: stopwatch() - started, say: provider.entityId }
  yield { step: 'keys', ok: true, ms: 0, say: `${provider.certificates.length} certificates` }
  yield { step: 'sign-in', ok: true, ms: 0, say: provider.signInUrl }
  yield { step: 'sign-out', ok: true, ms: 0, say: provider.signOut?.requests ?? 'not told of there' }
  const strengths = settings.assurance.map(({ is }) => is).join(', ')
  yield { step: 'strength', ok: true, ms: 0, say: strengths ? `any, by rules: ${strengths}` : 'any' }
}
