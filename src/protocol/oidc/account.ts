/** Claims about people (OIDC Core §5.1). `sub` is opaque and stable; groups as the app's registration says. */
import type { Account, AccountClaims, KoaContextWithOIDC } from 'oidc-provider'
import type { App, Catalog } from '#catalog'
import type { People, Person } from '#directory'

/** Which claims a scope stands for. */
export const CLAIMS = Object.freeze({
  openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'locale', 'updated_at'],
  email: ['email', 'email_verified'],
  groups: ['groups'],
})

/** They say what an app may know of a person and whether it may stay, which is between the two of them: no API's. */
export const SIGN_IN_SCOPES: ReadonlySet<string> = new Set(['offline_access', ...Object.keys(CLAIMS)])

/** The engine hands the account on; the question about it need not read the person again. */
export interface KnownAccount extends Account {
  readonly person: Person
}

export function createFindAccount(people: Pick<People, 'byId'>, catalog: Pick<Catalog, 'apps'>) {
  return async (ctx: KoaContextWithOIDC, sub: string): Promise<Account | undefined> => {
    const person = await people.byId(sub)
    // INVARIANT: somebody switched off gets no code, no token and no refreshed token
    if (!person || person.disabled) return undefined
    const account: KnownAccount = {
      accountId: person.id,
      person,
      async claims() {
        const clientId = ctx.oidc?.client?.clientId
        return claimsOf(person, clientId ? await catalog.apps.find(clientId) : undefined)
      },
    }
    return account
  }
}

function claimsOf(person: Person, app: App | undefined): AccountClaims {
  return {
    sub: person.id,
    name: person.name,
    preferred_username: person.username,
    ...(person.givenName ? { given_name: person.givenName } : {}),
    ...(person.familyName ? { family_name: person.familyName } : {}),
    ...(person.language ? { locale: person.language } : {}),
    ...(person.mail ? { email: person.mail, email_verified: person.mailVerified } : {}),
    groups: groupsFor(person.groups ?? [], app?.oidc?.claims?.groups),
  }
}

function groupsFor(
  groups: readonly string[],
  wanted: 'all' | 'none' | readonly string[] | undefined,
): readonly string[] {
  if (wanted === undefined || wanted === 'all') return groups
  return wanted === 'none' ? [] : groups.filter((group) => wanted.includes(group))
}
