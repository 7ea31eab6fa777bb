/** The kinds of directories: one line each. */
import type { Directory } from '#config'
import type { DirectoryKind } from '../kind.ts'
import { ldap } from './ldap.ts'
import { local } from './local.ts'
import { oidc } from './oidc.ts'
import { saml } from './saml.ts'

export const kinds: { readonly [K in Directory['kind']]: DirectoryKind<K> } = Object.freeze({ local, ldap, oidc, saml })
