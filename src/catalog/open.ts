import { type Apps, createApps } from './apps.ts'
import type { RegistryOptions } from './registry-writing.ts'
import type { PolicyNames } from './rules.ts'
import { openTemplates, type Templates } from './templates.ts'

export interface CatalogOptions extends RegistryOptions {
  /** The folder of templates. */
  readonly templates: string
  /** The names of the policies there are now; without it an app's `policy` is not looked up. */
  readonly policyNames?: PolicyNames
}

export interface Catalog {
  readonly apps: Apps
  readonly templates: Templates
}

/** Reads nothing yet: apps are looked up when somebody asks, templates are read when somebody looks for one. */
export async function openCatalog({ templates: folder, policyNames, ...options }: CatalogOptions): Promise<Catalog> {
  const templates = openTemplates(folder)
  // with all that a database takes: whoever only looks through the templates does not load it
  const { createRegistry } = await import('./registry.ts')
  const apps = createApps({ ...options, registry: createRegistry(options), templates, policyNames })
  return Object.freeze({ apps, templates })
}
