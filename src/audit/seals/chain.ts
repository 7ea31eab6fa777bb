/** The seals as they are stored: one behind the other, with the mark that says which one is the newest. */
import type { Kysely } from 'kysely'
import type { Clock } from '#core/clock'
import { isConflict, type Records } from '#storage'
import { type Mark, type SealKeys, type SignedSeal, sealHash } from './seal.ts'
import type { SealTables } from './tables.ts'

export interface Leaves {
  readonly events: string
  readonly receipts: string
}

export interface Head {
  readonly last: SignedSeal | undefined
  /** The newest by its mark, which is signed, is the newest that is there; nothing was ever sealed counts as that. */
  readonly whole: boolean
}

export interface Chain {
  head(): Promise<Head>
  /** False where another process has sealed meanwhile: nothing is stored then. */
  append(seal: SignedSeal, leaves: Leaves): Promise<boolean>
  /** What is there becomes the head again; answers whether it was not. */
  acknowledge(): Promise<boolean>
  seals(after: number, limit: number): Promise<SignedSeal[]>
  find(number: number): Promise<SignedSeal | undefined>
  leaves(seal: number): Promise<Leaves | undefined>
  /** The mark where it is there and signed by us; `forged` where it is there and not. */
  mark(name: Mark['name']): Promise<Mark | 'forged' | undefined>
  setMark(name: Mark['name'], seal: SignedSeal, on?: Records): Promise<void>
}

export function createChain(records: Records, keys: SealKeys, clock: Clock): Chain {
  const db: Kysely<SealTables> = records

  async function mark(name: Mark['name'], on: Kysely<SealTables> = db) {
    const row = await on.selectFrom('audit_marks').selectAll().where('name', '=', name).executeTakeFirst()
    if (!row) return undefined
    const { signature, ...said } = row
    return keys.isOurMark(said, signature) ? said : ('forged' as const)
  }
  const marked = (name: Mark['name'], seal: SignedSeal) => {
    const mark = { name, seal: seal.number, hash: sealHash(seal), at: clock.now() }
    return { ...mark, signature: keys.signMark(mark) }
  }
  async function setMark(name: Mark['name'], seal: SignedSeal, on: Kysely<SealTables> = db) {
    const { name: _, ...values } = marked(name, seal)
    await on
      .insertInto('audit_marks')
      .values({ name, ...values })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
      .execute()
  }
  const lastOn = (on: Kysely<SealTables>) =>
    on.selectFrom('audit_seals').selectAll().orderBy('number', 'desc').limit(1).executeTakeFirst()
  const isHead = (last: SignedSeal | undefined, mark: Mark | 'forged' | undefined): boolean =>
    last === undefined
      ? mark === undefined
      : typeof mark === 'object' && mark.seal === last.number && mark.hash === sealHash(last)

  /** In one transaction, in which no other process seals. */
  const together = <T>(work: (on: Kysely<SealTables>) => Promise<T>) => db.transaction().execute(work)
  const headOn = async (on: Kysely<SealTables>) => {
    const last = await lastOn(on)
    return { last, whole: isHead(last, await mark('head', on)) }
  }

  return {
    // two statements: what another process seals between them must not look like a break
    async head() {
      const looked = await headOn(db)
      return looked.whole ? looked : together(headOn)
    },

    async append(seal, leaves) {
      try {
        return await together(async (on) => {
          const { last, whole } = await headOn(on)
          if (!whole || (last ? sealHash(last) : '') !== seal.previous) return false
          await on.insertInto('audit_seals').values(seal).execute()
          await on
            .insertInto('audit_leaves')
            .values({ seal: seal.number, ...leaves })
            // those of a seal that was taken away, and that somebody has looked at
            .onConflict((conflict) => conflict.column('seal').doUpdateSet({ ...leaves }))
            .execute()
          await setMark('head', seal, on)
          return true
        })
      } catch (error) {
        if (isConflict(error)) return false
        throw error
      }
    },

    acknowledge: () =>
      together(async (on) => {
        const { last, whole } = await headOn(on)
        if (whole) return false
        if (last) await setMark('head', last, on)
        else await on.deleteFrom('audit_marks').where('name', '=', 'head').execute()
        return true
      }),

    seals: (after, limit) =>
      db.selectFrom('audit_seals').selectAll().where('number', '>', after).orderBy('number').limit(limit).execute(),
    find: (number) => db.selectFrom('audit_seals').selectAll().where('number', '=', number).executeTakeFirst(),
    leaves: (seal) =>
      db.selectFrom('audit_leaves').select(['events', 'receipts']).where('seal', '=', seal).executeTakeFirst(),
    mark,
    setMark,
  }
}
