/**
 * What a provider says about itself (SAML 2.0 Metadata §2.4): its keys and where to sign in, from a file or its URL, read again
 * now and then. Every key that it lists counts, so that it can change them with overlap; one that it drops counts no more.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Directory } from '#config'
import { type Clock, hours, type Instant, type Millis, minutes, seconds } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import { certificateEnds } from '#keys'
import {
  BINDINGS,
  certificatesOf,
  childrenOf,
  elementsOf,
  instantOf,
  METADATA,
  readXml,
  SamlProblem,
  type XmlElement,
  xmlText,
} from '#saml'
import { createReach, type Reach } from '../federation/reach.ts'
import type { DirectoryEnds, Outside } from '../kind.ts'

export type SamlSettings = Extract<Directory, { kind: 'saml' }>

export interface Provider {
  readonly entityId: string
  /** Where a request is sent to by redirect. */
  readonly signInUrl: string
  /** Where sign-outs are told to by the browser, and where our answers to its own go; undefined where it has no such address. */
  readonly signOut:
    | { readonly binding: 'redirect' | 'post'; readonly requests: string; readonly answers: string }
    | undefined
  /** PEM. */
  readonly certificates: readonly string[]
  /** PEM; what is meant for its eyes only is encrypted for this one. */
  readonly encryptionCertificate: string | undefined
  readonly validUntil: Instant | undefined
}

export interface Metadata {
  /** Throws `directory-unavailable`. */
  current(): Promise<Provider>
  /** Reads it anew, unless that was just done: an answer may be signed with a key that is new. */
  anew(): Promise<Provider>
  /** Undefined where they are a file: then nothing is ever asked of the provider from here. */
  readonly reach: Reach | undefined
}

/** Once more with newer metadata where no key fits: it may be a new one. */
export async function withKeysOf<T>(metadata: Metadata, work: (provider: Provider) => Promise<T>): Promise<T> {
  const provider = await metadata.current()
  try {
    return await work(provider)
  } catch (error) {
    if (!(error instanceof SamlProblem && error.fault === 'signature-invalid')) throw error
    const newer = await metadata.anew()
    if (newer.certificates.every((one) => provider.certificates.includes(one))) throw error
    return work(newer)
  }
}

export const LIMIT = 1024 * 1024
const LOOK_AGAIN = seconds(30)
/** Where it cannot be read again, what was read last still counts for so long. */
const KEEP_FOR = hours(24)

export function createMetadata(
  settings: SamlSettings,
  { outside, clock, folder, log }: { outside: Outside; clock: Clock; folder: string; log: Log },
): Metadata {
  const refresh = parseDuration(settings.refresh) ?? hours(1)
  const timeout = parseDuration(settings.timeout) ?? seconds(5)
  let held: { readonly at: Instant; readonly provider: Provider } | undefined
  let tried: Instant | undefined
  let reading: Promise<Provider> | undefined

  async function text(): Promise<string> {
    if (settings.metadata_file !== undefined)
      return xmlText(await readFile(resolve(folder, settings.metadata_file)), LIMIT)
    return xmlText(Buffer.from(await fetched(timeout)), LIMIT)
  }

  async function fetched(within: Millis): Promise<string> {
    const answer = await outside.outbound(settings.metadata_url!, { timeout: within, limit: LIMIT })
    if (answer.status !== 200) throw new Error(`status ${answer.status}`)
    return answer.body
  }

  const reach =
    settings.metadata_url === undefined
      ? undefined
      : createReach({
          directory: settings.id,
          outbound: outside.outbound,
          clock,
          timeout,
          ask: fetched,
        })

  async function readNow(): Promise<Provider> {
    const provider = providerOf(await text(), settings.entity_id, clock.now())
    held = { at: clock.now(), provider }
    return provider
  }

  /** One reading at a time, whoever asks. */
  function read(): Promise<Provider> {
    tried = clock.now()
    reading ??= (reach ? reach.find(readNow) : readNow()).finally(() => {
      reading = undefined
    })
    return reading
  }

  const good = (now: Instant) =>
    held !== undefined && now < Math.min(held.provider.validUntil ?? Number.POSITIVE_INFINITY, held.at + KEEP_FOR)

  async function readOrKeep(): Promise<Provider> {
    try {
      return await read()
    } catch (cause) {
      const now = clock.now()
      if (held && good(now)) {
        log.warn('saml-metadata-stale', {
          directory: settings.id,
          error: reasonOf(cause),
        })
        return held.provider
      }
      throw cause instanceof Refusal && cause.code === 'directory-unavailable'
        ? cause
        : new Refusal('directory-unavailable', `directory ${settings.id}: metadata cannot be read`, { cause })
    }
  }

  return {
    reach,
    async current() {
      const now = clock.now()
      if (held && good(now) && now - held.at < refresh) return held.provider
      // a provider that is down is not asked again by each request
      if (held && good(now) && tried !== undefined && now - tried < Math.min(refresh, minutes(1))) return held.provider
      return readOrKeep()
    },
    async anew() {
      if (held && tried !== undefined && clock.now() - tried < LOOK_AGAIN) return held.provider
      return readOrKeep()
    },
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Refusal && error.cause !== undefined ? error.cause : error
  return cause instanceof Error ? cause.message : 'unknown'
}

/** Throws where it says nothing usable about the provider. */
export function providerOf(xml: string, entityId: string, now: Instant): Provider {
  const root = readXml(xml, { size: LIMIT, comments: 'skipped' })
  const [entity, ...more] = [...elementsOf(root)].filter(
    ({ namespace, name, attributes }) =>
      namespace === METADATA && name === 'EntityDescriptor' && attributes.get('entityID') === entityId,
  )
  if (!entity || more.length > 0) throw new Error(`it does not have exactly one entity \`${entityId}\``)
  const [idp] = childrenOf(entity, METADATA, 'IDPSSODescriptor')
  if (!idp) throw new Error('the entity is no identity provider')
  const ends = [root, entity, idp].flatMap(({ attributes }) => attributes.get('validUntil') ?? []).map(instantOf)
  const validUntil = ends.length === 0 ? undefined : Math.min(...ends.map((end) => end ?? 0))
  if (validUntil !== undefined && validUntil <= now) throw new Error('it was valid until some time ago')
  const signInUrl = address(serviceOf(idp, 'SingleSignOnService', 'redirect')?.attributes.get('Location'))
  if (!signInUrl) throw new Error('it has no address to redirect to')
  // a redirect needs no script
  const signOut = signOutBy(idp, 'redirect') ?? signOutBy(idp, 'post')
  const [encryptionCertificate] = certificatesOf(idp, 'encryption')
  const certificates = certificatesOf(idp, 'signing')
  if (certificates.length === 0) throw new Error('it has no certificate with an RSA key of at least 2048 bits')
  return { entityId, signInUrl, signOut, certificates, encryptionCertificate, validUntil }
}

const serviceOf = (idp: XmlElement, name: string, binding: 'redirect' | 'post'): XmlElement | undefined =>
  childrenOf(idp, METADATA, name).find(({ attributes }) => attributes.get('Binding') === BINDINGS[binding])

function signOutBy(idp: XmlElement, binding: 'redirect' | 'post'): Provider['signOut'] {
  const service = serviceOf(idp, 'SingleLogoutService', binding)
  const requests = address(service?.attributes.get('Location'))
  const answers = address(service?.attributes.get('ResponseLocation') ?? requests)
  return requests && answers ? { binding, requests, answers } : undefined
}

/** ATTACK: browsers are sent there, and must not be sent into a script. */
const address = (text: string | undefined): string | undefined =>
  text !== undefined && /^https?:$/.test(URL.parse(text)?.protocol ?? '') ? text : undefined

/** Of several certificates only the last to end is told: until then one of them is good. */
export async function metadataEnds(metadata: Metadata): Promise<DirectoryEnds> {
  try {
    const { certificates, validUntil } = await metadata.current()
    const all = certificates.flatMap(certificateEnds).toSorted((a, b) => b.until - a.until)
    return {
      ends: [
        ...all.slice(0, 1).map(({ name, until }) => ({ what: 'provider-certificate', name, at: until }) as const),
        ...(validUntil === undefined ? [] : [{ what: 'provider-metadata', name: '', at: validUntil } as const]),
      ],
    }
  } catch (error) {
    return { ends: [], problem: `its metadata cannot be read: ${reasonOf(error)}` }
  }
}
