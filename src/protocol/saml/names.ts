/**
 * What an app calls somebody (SAML 2.0 Core §8.3), and its session with them.
 *
 * A persistent name, unless the registration names a field for it, is a keyed hash of the app's entity id and the person: another one at each app, opaque, and the same for as
 * long as the person is. The key is stored, not derived from the master key: changing that one must not rename everybody.
 */
import { createHmac } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { AppSaml } from '#catalog'
import type { Clock } from '#core/clock'
import { randomBytes } from '#core/random'
import type { Person } from '#directory'
import type { Keys } from '#keys'
import { NAME_ID_FORMATS, type NameId } from '#saml'
import type { Storage } from '#storage'
import { valuesOf } from './attributes.ts'
import type { SamlTables } from './tables.ts'

export type NameFormat = AppSaml['nameIdFormat']

export interface Named {
  readonly app: AppSaml
  readonly person: Person
  readonly sessionId: string
  readonly format: NameFormat
}

export interface Names {
  /** Undefined where the person lacks the field that the name is made of. */
  of(about: Named): Promise<NameId | undefined>
  /** The same for each app, session and format, and telling nothing: whoever opens an app in two tabs has one. */
  sessionIndex(about: Omit<Named, 'person'>): Promise<string>
}

const SECRET = 'names'
const RECORD_ID = 'saml-secret:names'

/** By what a field of the person says. */
function named(person: Person, { groups }: AppSaml, field: string, format: NameFormat): NameId | undefined {
  const [value] = valuesOf(person, field, groups)
  return value === undefined ? undefined : { value, format: NAME_ID_FORMATS[format] }
}

export function createNames({
  storage,
  keys,
  clock,
  entityId,
}: {
  storage: Pick<Storage, 'records'>
  keys: Pick<Keys, 'seal' | 'unseal'>
  clock: Clock
  /** Ours. */
  entityId: string
}): Names {
  const db: Kysely<SamlTables> = storage.records
  let held: Promise<Buffer> | undefined

  const stored = async (): Promise<Buffer | undefined> => {
    const row = await db.selectFrom('saml_secrets').select('sealed').where('name', '=', SECRET).executeTakeFirst()
    return row && keys.unseal(row.sealed, RECORD_ID)
  }

  /** The same in every process: who comes second takes what is there. */
  async function make(): Promise<Buffer> {
    const sealed = keys.seal(randomBytes(32), RECORD_ID)
    await db
      .insertInto('saml_secrets')
      .values({ name: SECRET, sealed, created_at: clock.now() })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
    return (await stored())!
  }

  async function secret(): Promise<Buffer> {
    held ??= stored().then((found) => found ?? make())
    try {
      return await held
    } catch (error) {
      held = undefined
      throw error
    }
  }

  /** No part holds a line feed where another could begin with the rest: each is written with its length. */
  async function hashed(use: 'persistent' | 'transient' | 'session', ...parts: readonly string[]): Promise<string> {
    const mac = createHmac('sha256', await secret())
    for (const part of [use, ...parts]) mac.update(`${Buffer.byteLength(part)}:`).update(part)
    return mac.digest('base64url')
  }

  return Object.freeze({
    async of({ app, person, sessionId, format }: Named) {
      const { entityId: theirs } = app
      // DEVIATION: Core §8.3.7 wants a name that only these two know; apps like Microsoft 365 want that of the directory
      if (format === 'persistent' && app.nameId !== undefined) return named(person, app, app.nameId, format)
      switch (format) {
        case 'persistent':
          return {
            value: await hashed('persistent', theirs, person.id),
            format: NAME_ID_FORMATS.persistent,
            nameQualifier: entityId,
            spNameQualifier: theirs,
          }
        case 'transient':
          // Core §8.3.8: never the same for two sessions
          return {
            value: `_${await hashed('transient', theirs, sessionId)}`,
            format: NAME_ID_FORMATS.transient,
            nameQualifier: entityId,
            spNameQualifier: theirs,
          }
        default: {
          const field = app.nameId ?? (format === 'emailAddress' ? 'email' : 'username')
          return named(person, app, field, format)
        }
      }
    },
    sessionIndex: async ({ app, sessionId, format }: Omit<Named, 'person'>) =>
      `_${await hashed('session', app.entityId, sessionId, format)}`,
  })
}
