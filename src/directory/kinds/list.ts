/** The kinds of directories: one line each. */
import type { Directory } from '#config'
import type { DirectoryKind } from '../kind.ts'
import { local } from './local.ts'

/** Loaded where the settings have one: what each needs for its protocol takes a start longer than the rest of the room. */
const later = <K extends Directory['kind']>(kind: K, load: () => Promise<DirectoryKind<K>>): DirectoryKind<K> =>
  Object.freeze({ kind, open: async (settings, tools) => (await load()).open(settings, tools) } as DirectoryKind<K>)

export const kinds: { readonly [K in Directory['kind']]: DirectoryKind<K> } = Object.freeze({
  local,
  ldap: later('ldap', async () => (await import('./ldap.ts')).ldap),
  oidc: later('oidc', async () => (await import('./oidc.ts')).oidc),
  saml: later('saml', async () => (await import('./saml.ts')).saml),
})
