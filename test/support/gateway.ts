/** A whole gateway in this process, on a free port and a folder of its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '#audit'
import type { Manifest } from '#catalog'
import { loadSettings } from '#config'
import type { Clock } from '#core/clock'
import type { NewPerson } from '#directory'
import { copyPolicies } from '../../demo/policies.ts'
import { type Server, startServer } from '../../src/server.ts'
import { freePort } from './ports.ts'
import { SHORT_WAYS } from './short-ways.ts'
import { stateBeside } from './state.ts'
import { EMBEDDED_FILE, storageUrl } from './storage.ts'

export const PASSWORD = 'a lamp post in the rain'
const root = join(import.meta.dirname, '../..')

export interface GatewayOptions {
  /** File name to text, instead of the shipped policies. */
  readonly policies?: Readonly<Record<string, string>>
  /** More settings, as they stand in portico.yaml. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly people?: readonly NewPerson[]
  readonly apps?: readonly Manifest[]
  /** As the run says unless given; `sqlite:FILE` is in the folder. `EMBEDDED_FILE` keeps state there as well. */
  readonly storage?: string
  readonly clock?: Clock
  /** `localhost` unless given. Browsers tell hosts apart, and not ports: two gateways need two. */
  readonly host?: 'localhost' | '127.0.0.1'
  readonly port?: number
}

export interface Gateway {
  readonly server: Server
  readonly issuer: string
  readonly folder: string
  /** Client secrets by app id. */
  readonly secrets: ReadonlyMap<string, string>
  /** Person ids by user name. */
  readonly ids: ReadonlyMap<string, string>
  /** Everything that was logged. */
  log(): string
  close(): Promise<void>
}

/** Everybody may open what `policies` says; by default the shipped ones. The store's network is the loopback address. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-gateway-'))
  const port = options.port ?? (await freePort())
  const issuer = `http://${options.host ?? 'localhost'}:${port}`
  if (options.policies) {
    mkdirSync(join(folder, 'policies'))
    for (const [name, text] of Object.entries(options.policies)) writeFileSync(join(folder, 'policies', name), text)
  } else copyPolicies(join(folder, 'policies'))
  const storage = options.storage ?? (await storageUrl(EMBEDDED_FILE))
  const beside =
    options.storage === EMBEDDED_FILE ? undefined : await stateBeside(storage === options.storage ? storage : folder)
  const settings = {
    issuer,
    listen: `127.0.0.1:${port}`,
    management: { listen: '127.0.0.1:0' },
    storage: { url: storage },
    ...(beside ? { state: { url: beside.url } } : {}),
    secrets: { key_file: 'master.key' },
    catalog: join(root, 'apps-catalog'),
    organisation: 'Kestrel Mobile',
    outbound: { allow: ['127.0.0.0/8', '::1'] },
    ...SHORT_WAYS,
    log: { level: 'info' },
    ...options.settings,
  }
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, JSON.stringify(settings))
  const loaded = loadSettings(file, {})
  if (!loaded.settings) throw new Error(JSON.stringify(loaded.problems))
  const lines: string[] = []
  const log = createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } })
  const { clock } = options
  const server = await startServer({ settings: loaded.settings, folder, log, ...(clock ? { clock } : {}) })
  const ids = new Map<string, string>()
  for (const person of options.people ?? []) {
    const { id } = await server.house.people.add({ password: PASSWORD, ...person }, 'test')
    ids.set(person.username, id)
  }
  const secrets = new Map<string, string>()
  for (const app of options.apps ?? []) {
    const { clientSecret } = await server.house.catalog.apps.register(app, 'test')
    if (clientSecret) secrets.set(app.id, clientSecret)
  }
  return {
    server,
    issuer,
    folder,
    secrets,
    ids,
    log: () => lines.join(''),
    async close() {
      await server.close()
      await beside?.leave()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
