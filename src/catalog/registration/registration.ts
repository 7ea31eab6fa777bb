/**
 * Clients that register themselves, with an invitation that somebody here made (RFC 7591 §3, RFC 7592). Each becomes an app as
 * every other: `apps list` has it, `apps remove` ends it.
 */
import { type Kysely, sql } from 'kysely'
import type { Clock, Millis } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomBytes, randomId } from '#core/random'
import type { Storage } from '#storage'
import type { Definition } from '../app.ts'
import type { Registry } from '../registry.ts'
import type { CheckOptions } from '../rules.ts'
import { isSecretOf } from '../secrets.ts'
import type { Tables } from '../tables.ts'
import type { RegisteredClient, RegistrationFault } from './faults.ts'
import { type RegistrationTerms, readMetadata, toMetadata } from './metadata.ts'

export interface Invitation {
  /** For the trail. */
  readonly name: string
  /** So many registrations. */
  readonly uses: number
  readonly life: Millis
}

export interface Registrations {
  /** Whether anybody may register. */
  readonly open: boolean
  /** A token that is good for this and nothing else; shown once, kept as its hash. `by`: a person's id or `cli`. */
  invite(invitation: Invitation, by: string): Promise<string>
  register(invitation: string | undefined, body: unknown): Promise<RegisteredClient | RegistrationFault>
  read(id: string, token: string | undefined): Promise<RegisteredClient | RegistrationFault>
  /** What the client may say is replaced as a whole; what an administrator decides stays. */
  update(id: string, token: string | undefined, body: unknown): Promise<RegisteredClient | RegistrationFault>
  remove(id: string, token: string | undefined): Promise<RegistrationFault | undefined>
}

export interface RegistrationRooms {
  /** Absent: nobody registers, and those who have keep what they are. */
  readonly terms: RegistrationTerms | undefined
  readonly storage: Storage
  readonly clock: Clock
  readonly registry: Registry
  readonly check: () => Promise<CheckOptions>
}

const NO_TOKEN: RegistrationFault = Object.freeze({ error: 'invalid_token' })
const TOKEN = /^[\w-]{43}$/

export function createRegistrations({ terms, storage, clock, registry, check }: RegistrationRooms): Registrations {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()

  const living = (token: string | undefined) =>
    records
      .selectFrom('invitations')
      .selectAll()
      .where('hash', '=', sha256(token ?? ''))
      .where('uses_left', '>', 0)
      .where('ends_at', '>', clock.now())
      .executeTakeFirst()

  /** Nothing rests on these rows any more: invitations of long ago, and tokens of apps that somebody removed. */
  async function forgetWhatIsOver(on: Kysely<Tables>): Promise<void> {
    await on.deleteFrom('invitations').where('ends_at', '<=', clock.now()).execute()
    await on
      .deleteFrom('registered_clients')
      .where('app', 'not in', (eb) => eb.selectFrom('apps').select('id'))
      .execute()
  }

  /** The app that the token is of. A removed one has none, whatever is left of it here. */
  async function ofToken(id: string, token: string | undefined) {
    if (!terms || !TOKEN.test(token ?? '') || id.length > 64) return undefined
    const row = await records
      .selectFrom('registered_clients')
      .select('app')
      .where('hash', '=', sha256(token!))
      .where('app', '=', id)
      .executeTakeFirst()
    return row && registry.stored(id)
  }

  return Object.freeze({
    open: terms !== undefined,
    async invite({ name, uses, life }: Invitation, by: string) {
      const token = randomId(32)
      const row = { hash: sha256(token), name, uses_left: uses, ends_at: clock.now() + life }
      await registry.write(async (writer) => {
        await forgetWhatIsOver(writer.records)
        await writer.records.insertInto('invitations').values(row).execute()
        await writer.record('registration-invited', { actor: by, reason: name, count: uses })
      })
      return token
    },

    async register(invitation: string | undefined, body: unknown) {
      if (!terms || !TOKEN.test(invitation ?? '')) return NO_TOKEN
      const invited = await living(invitation)
      if (!invited) return NO_TOKEN
      const id = `client-${randomBytes(12).toString('hex')}`
      const made = readMetadata(id, body, terms, await check())
      if ('error' in made) return made
      const registrationToken = randomId(32)
      const { definition } = made
      return registry.write(async (writer): Promise<RegisteredClient | RegistrationFault> => {
        // one after the other, on whatever process: `most` is counted
        await writer.records.updateTable('apps_version').set({ version: sql`version` }).where('id', '=', 1).execute()
        // what has been spent meanwhile, in another request or process, is spent
        const spent = await writer.records
          .updateTable('invitations')
          .set({ uses_left: sql`uses_left - 1` })
          .where('hash', '=', invited.hash)
          .where('uses_left', '>', 0)
          .returning('name')
          .executeTakeFirst()
        if (!spent) return NO_TOKEN
        const { count } = await writer.records
          .selectFrom('registered_clients')
          .innerJoin('apps', 'apps.id', 'registered_clients.app')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow()
        if (Number(count) >= terms.most) {
          await writer.records
            .updateTable('invitations')
            .set({ uses_left: sql`uses_left + 1` })
            .where('hash', '=', invited.hash)
            .execute()
          return { error: 'access_denied', why: 'no more clients are taken' }
        }
        const clientSecret = await writer.insert(definition, true)
        await writer.records
          .insertInto('registered_clients')
          .values({ app: id, hash: sha256(registrationToken) })
          .execute()
        await writer.record('app-registered', { actor: `invitation ${spent.name}`, app: id })
        const secret = clientSecret === undefined ? {} : { clientSecret }
        return { metadata: toMetadata(definition), issuedAt: clock.now(), registrationToken, ...secret }
      })
    },

    async read(id: string, token: string | undefined) {
      const found = await ofToken(id, token)
      return found ? { metadata: toMetadata(found.definition), issuedAt: found.createdAt } : NO_TOKEN
    },

    async update(id: string, token: string | undefined, body: unknown) {
      const found = await ofToken(id, token)
      if (!found || !terms) return NO_TOKEN
      const { definition: before } = found
      const { client_secret: shown } = body as { client_secret?: unknown }
      const app = shown === undefined ? undefined : await registry.find(id)
      // RFC 7592 §2.2: the one that it has, never one of its choice
      if (shown !== undefined && !(app?.oidc && isSecretOf(app.oidc, String(shown), clock)))
        return { error: 'invalid_client_metadata' as const, why: 'client_secret is not the one that was given' }
      // ATTACK: what an administrator has taken away since comes back by saying it again
      const mine = { ...terms, scopes: before.oidc!.scopes, apis: before.oidc!.apis ?? {} }
      const made = readMetadata(id, body, mine, await check())
      if ('error' in made) return made
      const { name, oidc } = made.definition
      const definition: Definition = { ...before, name, oidc: { ...oidc!, claims: before.oidc!.claims } }
      const clientSecret = await registry.write(async (writer) => {
        const fresh = await writer.replace(definition)
        await writer.record('app-changed', { actor: id, app: id })
        return fresh
      })
      if (clientSecret !== undefined) await registry.secretsShown([id])
      const secret = clientSecret === undefined ? {} : { clientSecret }
      return { metadata: toMetadata(definition), issuedAt: found.createdAt, ...secret }
    },

    async remove(id: string, token: string | undefined) {
      if (!(await ofToken(id, token))) return NO_TOKEN
      await registry.write(async (writer) => {
        await writer.remove(id)
        await writer.record('app-removed', { actor: id, app: id })
        await writer.records.deleteFrom('registered_clients').where('app', '=', id).execute()
      })
      return undefined
    },
  })
}
