/** What an app may know: agreed once per person and app, granted anew in each session. */
import type { Kysely } from 'kysely'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Api } from '#apis'
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Migration, Records, Storage } from '#storage'
import { CLAIMS } from './account.ts'
import { detailsIn } from './asked-details.ts'
import { grantedScopes } from './resources.ts'

type Grant = InstanceType<Provider['Grant']>
type EngineSession = InstanceType<Provider['Session']>

type Tables = { consents: { person: string; app: string; scopes: string; agreed_at: number } }

export const consentMigrations: readonly Migration[] = [
  {
    name: 'oidc-001-consents',
    async up(records: Records) {
      await records.schema
        .createTable('consents')
        .addColumn('person', 'text', (c) => c.notNull())
        .addColumn('app', 'text', (c) => c.notNull())
        .addColumn('scopes', 'text', (c) => c.notNull())
        .addColumn('agreed_at', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('consents_pk', ['person', 'app'])
        .execute()
    },
  },
]

export interface Consents {
  find(person: string, app: string): Promise<readonly string[]>
  add(person: string, app: string, scopes: readonly string[]): Promise<void>
  ofPerson(person: string): Promise<{ app: string; scopes: readonly string[] }[]>
  withdraw(person: string, app: string): Promise<boolean>
  /** Of somebody who was removed. */
  forget(person: string): Promise<void>
  /** One person becomes another, who has agreed to what both have. Awaits nothing but queries of `on`. */
  move(from: string, into: string, on: Records): Promise<void>
}

export function createConsents(storage: Storage, clock: Clock): Consents {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  const find = async (person: string, app: string) => {
    const row = await db
      .selectFrom('consents')
      .select('scopes')
      .where('person', '=', person)
      .where('app', '=', app)
      .executeTakeFirst()
    return row ? row.scopes.split(' ') : []
  }
  return {
    find,
    async add(person, app, scopes) {
      const all = [...new Set([...(await find(person, app)), ...scopes])].join(' ')
      const row = { person, app, scopes: all, agreed_at: clock.now() }
      await db
        .insertInto('consents')
        .values(row)
        .onConflict((c) => c.columns(['person', 'app']).doUpdateSet({ scopes: all, agreed_at: row.agreed_at }))
        .execute()
    },
    async ofPerson(person) {
      const rows = await db.selectFrom('consents').selectAll().where('person', '=', person).execute()
      return rows.map((row) => ({ app: row.app, scopes: row.scopes.split(' ') }))
    },
    async forget(person) {
      await db.deleteFrom('consents').where('person', '=', person).execute()
    },
    async move(from, into, on) {
      const tables: Kysely<Tables> = on
      const rows = await tables.selectFrom('consents').selectAll().where('person', 'in', [from, into]).execute()
      for (const { app, scopes, agreed_at } of rows.filter(({ person }) => person === from)) {
        const own = rows.find((row) => row.person === into && row.app === app)
        const all = [...new Set([...(own?.scopes.split(' ') ?? []), ...scopes.split(' ')])].join(' ')
        await tables
          .insertInto('consents')
          .values({ person: into, app, scopes: all, agreed_at })
          .onConflict((c) => c.columns(['person', 'app']).doUpdateSet({ scopes: all }))
          .execute()
      }
      await tables.deleteFrom('consents').where('person', '=', from).execute()
    },
    async withdraw(person, app) {
      const gone = await db
        .deleteFrom('consents')
        .where('person', '=', person)
        .where('app', '=', app)
        .returning('app')
        .execute()
      return gone.length > 0
    },
  }
}

/** What an app asks for, of somebody who is signed in. */
export interface Asking {
  readonly provider: Provider
  readonly session: Pick<EngineSession, 'grantIdFor'>
  readonly clientId: string
  readonly accountId: string
  /** All of the request; those of a sign-in among them. */
  readonly scopes: ReadonlySet<string>
  readonly signInScopes: readonly string[]
  /** What `claims` names (OIDC Core §5.5). */
  readonly claims: readonly string[]
  /** There are authorization details besides. */
  readonly details: boolean
  /** Puts claims into the ID token, as if `claims` had asked for them there. */
  addToIdToken(names: readonly string[]): void
}

/** Of an authorization request. */
export function askingOf({ oidc }: KoaContextWithOIDC): Asking | undefined {
  const { provider, session, client, account } = oidc
  if (!session || !client || !account) return undefined
  return {
    provider,
    session,
    clientId: client.clientId,
    accountId: account.accountId,
    scopes: oidc.requestParamScopes,
    signInScopes: [...oidc.requestParamOIDCScopes],
    claims: [...oidc.requestParamClaims],
    details: detailsIn(oidc.params).length > 0,
    addToIdToken: (names) => void Object.assign(oidc.claims, withInIdToken(oidc.claims, names)),
  }
}

/**
 * The session's grant for the app. A first-party app is granted what it asks within its registration; any other app what
 * the person has agreed to. One grant per session: a code used twice or a sign-out must not reach the person's other
 * devices.
 */
export async function grantFor(
  asking: Asking,
  app: App,
  consents: Consents,
  apis: readonly Api[],
): Promise<Grant | undefined> {
  const { provider, session, clientId, accountId } = asking
  const allowed = await allowedScopes(accountId, app, consents)
  const agreed = asking.signInScopes.filter((scope) => allowed.includes(scope))
  const known = session.grantIdFor(clientId)
  const grant = (known ? await provider.Grant.find(known) : undefined) ?? new provider.Grant({ accountId, clientId })
  const has = new Set(grant.getOIDCScope().split(' '))
  const inIdToken = app.oidc?.claims.inIdToken ? claimsOfScopes(agreed) : []
  if (inIdToken.length > 0) asking.addToIdToken(inIdToken)
  const claims = [...new Set([...asking.claims, ...inIdToken])]
  // OIDC Core §5.5: `claims` asks for single claims beside the scopes; none beyond what the scopes it may have would give
  const given = new Set(claimsOfScopes(allowed))
  const refused = grant.getRejectedOIDCClaims()
  const agreedLater = refused.filter((claim) => given.has(claim))
  const newClaims = [...claims.filter((claim) => !grant.getOIDCClaimsEncountered().includes(claim)), ...agreedLater]
  const ofApis = await apiScopes(asking, app, consents, apis)
  const newOfApis = ofApis.filter(({ audience, scopes }) => {
    const had = grant.getResourceScope(audience).split(' ')
    return scopes.some((scope) => !had.includes(scope))
  })
  const nothingNew = newClaims.length === 0 && newOfApis.length === 0
  if (grant.jti && nothingNew && agreed.every((scope) => has.has(scope))) return grant
  // what is asked for in authorization details alone needs a grant all the same
  if (agreed.length === 0 && (grant.jti || !asking.details)) return grant.jti ? grant : undefined
  if (agreed.length > 0) grant.addOIDCScope(agreed.join(' '))
  for (const { audience, scopes } of newOfApis) grant.addResourceScope(audience, scopes.join(' '))
  const [within, beyond] = [
    newClaims.filter((claim) => given.has(claim)),
    newClaims.filter((claim) => !given.has(claim)),
  ]
  // what stays rejected is taken out of the answers to every token of the grant
  if (agreedLater.length > 0) grant.rejected!.openid!.claims = refused.filter((claim) => !given.has(claim))
  if (within.length > 0) grant.addOIDCClaims(within)
  if (beyond.length > 0) grant.rejectOIDCClaims(beyond)
  await grant.save()
  return grant
}

const claimsOfScopes = (scopes: readonly string[]): string[] =>
  scopes.flatMap((scope): readonly string[] => CLAIMS[scope as keyof typeof CLAIMS] ?? [])

/** For apps that never ask userinfo: what the scopes give is put into the ID token, as if `claims` had asked for it. */
export function withInIdToken(claims: { id_token?: object | undefined } | undefined, names: readonly string[]) {
  const asked = Object.fromEntries(names.map((name) => [name, null]))
  return { ...claims, id_token: { ...asked, ...claims?.id_token } }
}

/** How a consent names a scope of an API: two APIs may use the same word. No scope of a sign-in begins like this. */
export const apiScope = (api: string, scope: string): string => `api/${api}/${scope}`

/** What the request asks of its APIs, within the registration; of an app that is not ours, what the person has agreed to. */
async function apiScopes({ accountId, scopes }: Asking, app: App, consents: Consents, apis: readonly Api[]) {
  const agreed = app.firstParty || apis.length === 0 ? [] : await consents.find(accountId, app.id)
  return apis.map((api) => {
    const asked = (grantedScopes(app, api) ?? []).filter((scope) => scopes.has(scope))
    const may = (scope: string) => app.firstParty || agreed.includes(apiScope(api.id, scope))
    return { audience: api.audience, scopes: asked.filter(may) }
  })
}

/** Whatever the request asks for, it gets nothing of other scopes. */
async function allowedScopes(person: string, app: App, consents: Consents): Promise<readonly string[]> {
  const registered = app.oidc?.scopes ?? []
  if (app.firstParty) return registered
  const agreed = await consents.find(person, app.id)
  return registered.filter((scope) => agreed.includes(scope))
}
