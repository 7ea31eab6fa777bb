import type { Log } from '#core/log'
import type { Outbound } from '#http'
import { type Apps, createApps } from './apps.ts'
import { createDocuments, type DocumentSettings, type Documents } from './documents/documents.ts'
import { createPartners, type Partners } from './partners/partners.ts'
import type { KnownApis } from './partners/reading.ts'
import type { RegistrationTerms } from './registration/metadata.ts'
import type { Registrations } from './registration/registration.ts'
import type { RegistryOptions } from './registry-writing.ts'
import type { PolicyNames } from './rules.ts'
import { openTemplates, type Templates } from './templates.ts'

export interface CatalogOptions extends RegistryOptions {
  /** The folder of templates. */
  readonly templates: string
  /** The names of the policies there are now; without it an app's `policy` is not looked up. */
  readonly policyNames?: PolicyNames
  /** The APIs that partners may get tokens for; without it there are none. */
  readonly knownApis?: () => Promise<KnownApis>
  /** Absent: nobody registers by themselves. */
  readonly registration?: RegistrationTerms | undefined
  /** Absent: there are no clients but those that somebody registered. */
  readonly documents?:
    | { readonly settings: DocumentSettings; readonly outbound: Outbound; readonly log: Log }
    | undefined
}

export interface Catalog {
  readonly apps: Apps
  readonly partners: Partners
  /** Clients that nobody registered; absent where they are off. */
  readonly documents?: Documents
  /** Clients that register themselves. */
  readonly registrations: Registrations
  readonly templates: Templates
}

/** Reads nothing yet: apps are looked up when somebody asks, templates are read when somebody looks for one. */
export async function openCatalog({
  templates: folder,
  policyNames,
  knownApis,
  documents: byAddress,
  registration: terms,
  ...options
}: CatalogOptions): Promise<Catalog> {
  const templates = openTemplates(folder)
  // with all that a database takes: whoever only looks through the templates does not load it
  const { createRegistry } = await import('./registry.ts')
  const { createRegistrations } = await import('./registration/registration.ts')
  const registry = createRegistry(options)
  const check = async () => ({ policyNames: await policyNames?.() })
  const { clock } = options
  const documents = byAddress && createDocuments({ ...byAddress, state: options.storage.state, clock, check })
  const apps = createApps({ ...options, registry, templates, documents, check })
  const partners = createPartners({ registry, check, knownApis: knownApis ?? (async () => new Map()) })
  const { storage } = options
  const registrations = createRegistrations({ terms, storage, clock, registry, check })
  return Object.freeze({ apps, partners, templates, registrations, ...(documents && { documents }) })
}
