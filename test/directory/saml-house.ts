/** The SAML kind on a fresh database, with a provider of the tests in front of it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditMigrations, createAudit } from '#audit'
import { directoryMigrations } from '#directory'
import type { Outbound } from '#http'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'
import { settingsSchema } from '../../src/config/schema.ts'
import type {
  Federated,
  Told,
  UpstreamLogout,
  UpstreamSession,
  Vouched,
} from '../../src/directory/federation/federated.ts'
import type { OpenDirectory } from '../../src/directory/kind.ts'
import { saml } from '../../src/directory/kinds/saml.ts'
import type { SamlSettings } from '../../src/directory/kinds/saml-metadata.ts'
import { createStore } from '../../src/directory/store.ts'
import { type Keys, metadataOf, PROVIDER } from '../support/saml-provider.ts'
import { emptyStorageUrl } from '../support/storage.ts'

export const OURS = 'https://id.kestrel.example'
export const ACS = `${OURS}/signin/back/partner`
export const ENTITY = `${ACS}/metadata`
export const SLO = `${ACS}/logout`
export const SIGNED_OUT = `${OURS}/signout`
export const STATE = 'a-state-that-nobody-can-guess'

export interface SamlHouse {
  readonly clock: { now(): number; pass(ms: number): void }
  readonly directory: OpenDirectory
  /** A request, as the provider sees it. */
  begin(asked?: { maxAge?: number; strength?: string }): Promise<{ url: URL; requestId: string; xml: string }>
  /** What becomes of an answer to the request. */
  finish(posted: string, requestId: string, relayState?: string): Promise<Vouched>
  /** The cause that the administrator reads, or `accepted`. */
  cause(posted: string, requestId: string, relayState?: string): Promise<string>
  /** Our request to end the session there. */
  leave(session: UpstreamSession): Promise<URL | undefined>
  /** What a message about a sign-out is taken for, or the cause that the administrator reads. */
  told(message: Partial<Told>): Promise<UpstreamLogout | { backTo: string } | string>
  readonly federated: Federated
  certificate(): Promise<string>
  metadata(): Promise<string>
  test(): Promise<{ step: string; ok: boolean; say: string }[]>
  /** Writes what the provider says from now on. */
  publish(metadata: string): Promise<void>
  close(): Promise<void>
  readonly logged: string[]
}

export interface SamlHouseOptions {
  readonly settings?: Partial<Record<keyof SamlSettings, unknown>>
  /** What the file says; the provider's one certificate unless given. */
  readonly metadata?: string
  readonly outbound?: Outbound
  readonly database?: string
  readonly masterKey?: Buffer
}

export async function openSaml(keys: Keys, options: SamlHouseOptions = {}): Promise<SamlHouse> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-saml-'))
  await writeFile(join(folder, 'idp.xml'), options.metadata ?? metadataOf([keys.certificate]))
  let time = Date.UTC(2026, 10, 30, 9)
  const clock = {
    now: () => time,
    pass: (ms: number) => {
      time += ms
    },
  }
  const logged: string[] = []
  const say = (event: string, fields?: object) => void logged.push(JSON.stringify([event, fields]))
  const log = { info: say, warn: say, error: say }
  const storage = await openStorage({
    url: options.database ?? (await emptyStorageUrl()),
    clock,
    log,
    migrations: [...auditMigrations, ...keysMigrations, ...directoryMigrations],
  })
  const audit = createAudit({ storage, clock, log })
  const ourKeys = await openKeys({ storage, clock, log, audit, masterKey: options.masterKey ?? Buffer.alloc(32, 7) })
  const parsed = settingsSchema.parse({
    directories: [
      {
        id: 'partner',
        kind: 'saml',
        entity_id: PROVIDER,
        ...(options.outbound ? {} : { metadata_file: 'idp.xml' }),
        ...options.settings,
      },
    ],
  })
  const nowhere: Outbound = () => Promise.reject(new Error('nobody is asked'))
  async function close() {
    await storage.close()
    await rm(folder, { recursive: true, force: true })
  }
  const opening = saml.open(parsed.directories[0] as SamlSettings, {
    clock,
    log,
    store: createStore(storage, new Set(['partner'])),
    state: storage.state,
    hashing: undefined as never,
    folder,
    outside: { outbound: options.outbound ?? nowhere, keys: ourKeys, issuer: OURS },
  })
  const directory = await opening.catch(async (error) => {
    await close()
    throw error
  })
  const federated = directory.federated!
  const finish: SamlHouse['finish'] = (posted, requestId, relayState = STATE) =>
    federated.finish(
      {
        url: new URL(ACS),
        form: new Map([
          ['SAMLResponse', posted],
          ['RelayState', relayState],
        ]),
      },
      { state: STATE, id: requestId },
    ) // prettier-ignore
  const metadata = async () => (await federated.metadata!()).body
  const causeOf = (error: unknown): string => {
    const { code, detail = '' } = error as { code: string; detail?: string }
    return /^directory partner: saml ([\w-]+): ./.exec(detail)?.[1] ?? `${code}: ${detail}`
  }
  return {
    clock,
    directory,
    logged,
    finish,
    async begin(asked = {}) {
      const { url, remembered } = await federated.begin({ state: STATE, ...asked })
      const parsedUrl = new URL(url)
      const { inflateRawSync } = await import('node:zlib')
      const xml = inflateRawSync(Buffer.from(parsedUrl.searchParams.get('SAMLRequest')!, 'base64')).toString()
      return { url: parsedUrl, requestId: remembered['id']!, xml }
    },
    async cause(...answer) {
      try {
        await finish(...answer)
        return 'accepted'
      } catch (error) {
        return causeOf(error)
      }
    },
    async leave(session) {
      const there = await federated.signOutThere!(session, SIGNED_OUT)
      return there && new URL(there.url)
    },
    told: (message) => federated.loggedOut!({ query: '', form: new Map(), ...message }).catch(causeOf),
    federated,
    metadata,
    async certificate() {
      const [, text] = /<ds:X509Certificate>([^<]+)</.exec(await metadata())!
      return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
    },
    async test() {
      const steps = []
      for await (const { step, ok, say } of directory.test(undefined)) steps.push({ step, ok, say })
      return steps
    },
    publish: (metadata) => writeFile(join(folder, 'idp.xml'), metadata),
    close,
  }
}
