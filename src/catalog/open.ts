import { type Apps, createApps } from './apps.ts'
import { createPartners, type Partners } from './partners/partners.ts'
import type { KnownApis } from './partners/reading.ts'
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
}

export interface Catalog {
  readonly apps: Apps
  readonly partners: Partners
  readonly templates: Templates
}

/** Reads nothing yet: apps are looked up when somebody asks, templates are read when somebody looks for one. */
export async function openCatalog({
  templates: folder,
  policyNames,
  knownApis,
  ...options
}: CatalogOptions): Promise<Catalog> {
  const templates = openTemplates(folder)
  // with all that a database takes: whoever only looks through the templates does not load it
  const { createRegistry } = await import('./registry.ts')
  const registry = createRegistry(options)
  const check = async () => ({ policyNames: await policyNames?.() })
  const apps = createApps({ ...options, registry, templates, check })
  const partners = createPartners({ registry, check, knownApis: knownApis ?? (async () => new Map()) })
  return Object.freeze({ apps, partners, templates })
}
