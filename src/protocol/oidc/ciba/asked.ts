/**
 * Questions that apps have put to people (CIBA Core 1.0), as they lie in short-lived state: one row, which is the engine's own
 * request, in the group of whomever it names until it is answered.
 *
 * INVARIANT: nobody looks for the person when an app asks. Whoever is signed in looks for what names them, so that neither the
 * answer nor its time tells an app who exists.
 */
import { type Clock, type Instant, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { type People, type Person, usernameKey } from '#directory'
import type { State } from '#storage'
import { addresseeGroup, grantGroup, objectKey } from '../grant-groups.ts'

export const CIBA_MODEL = 'BackchannelAuthenticationRequest'

/** What is stored of a request, in the engine's words. Times in seconds. */
export interface AskedRow {
  readonly jti: string
  readonly clientId: string
  /** Whom it names (`addressee`); the person, once they have answered. */
  readonly accountId: string
  readonly iat: number
  readonly exp: number
  readonly scope?: string
  readonly resource?: string | readonly string[]
  readonly claims?: object
  readonly params?: Readonly<Record<string, unknown>>
  /** The person who uses the app, where it has shown a token of theirs. */
  readonly asker?: string
  /** Since when somebody is answering it. */
  readonly answered?: number
  readonly grantId?: string
  readonly error?: string
}

/** A question that waits for an answer. */
export interface Asked {
  /** Under which pages know it; it tells nothing of `auth_req_id`, which is between us and the app. */
  readonly id: string
  readonly row: AskedRow
  /** The row as it was read. */
  readonly stored: string
}

/** By the name that people sign in with, or by a person's id. */
export const addressee = (by: 'name' | 'person', value: string): string => `${by}:${sha256(value)}`
export const addresseeOfName = (hint: string): string | undefined => {
  const key = usernameKey(hint)
  return key === undefined ? undefined : addressee('name', key)
}

export const questionId = ({ jti }: Pick<AskedRow, 'jti'>): string => sha256(`question ${jti}`).slice(0, 22)
/** Also of the engine's own object. */
export const isPending = ({
  answered,
  grantId,
  error,
}: {
  answered?: unknown
  grantId?: unknown
  error?: unknown
}): boolean => answered === undefined && grantId === undefined && error === undefined

/** Nobody reads more at once. */
const MOST_SHOWN = 5
/**
 * So many questions of one app to one person. It counts twice: when an app asks, by what it has sent, which tells it nothing
 * (`feature.ts`); and when somebody reads, by the person, who has several names.
 */
export const OF_ONE_APP = Object.freeze({ most: 5, within: minutes(5) })

/**
 * The apps in turns, each with its oldest first: later questions do not push away earlier ones of the same app, and no app
 * keeps those of another one away.
 */
function inTurns(found: readonly Asked[]): Asked[] {
  const turns = new Map<string, number>()
  const placed = found
    .toSorted((a, b) => a.row.iat - b.row.iat || (a.id < b.id ? -1 : 1))
    .map((asked) => {
      const turn = turns.get(asked.row.clientId) ?? 0
      turns.set(asked.row.clientId, turn + 1)
      return { asked, turn }
    })
  return placed.toSorted((a, b) => a.turn - b.turn).map(({ asked }) => asked)
}
/** The app can still ask what became of it. Seconds. */
export const TOLD_FOR = 600

export interface AskedRooms {
  readonly state: State
  readonly clock: Clock
  readonly people: Pick<People, 'find' | 'merging'>
}

export interface AskedQuestions {
  /** Those that wait for this person to read; what is not `forThem` takes nobody's place. */
  of(person: Person, forThem?: (asked: Asked) => Promise<boolean>): Promise<readonly Asked[]>
  /** Takes it for the one answer that it gets; false where somebody else, or another tab, was faster. */
  claim(asked: Asked): Promise<boolean>
  /** Writes the answer, of a question that was claimed. */
  settle(asked: Asked, answer: Partial<AskedRow> & object): Promise<void>
  /** From now on nothing of that app is shown to this person. */
  bar(app: string, person: string, until: Instant): Promise<void>
}

export function createAskedQuestions({ state, clock, people }: AskedRooms): AskedQuestions {
  const key = ({ jti }: AskedRow) => objectKey(CIBA_MODEL, jti)
  const barred = (app: string, person: string) => `asked-barred:${app}:${person}`
  const lifeOf = ({ exp }: AskedRow) => Math.max(1000, (exp + TOLD_FOR) * 1000 - clock.now())

  async function waiting(whom: string): Promise<Asked[]> {
    const entries = await state.group(addresseeGroup(whom))
    return entries.flatMap(({ value: stored }) => {
      const row = JSON.parse(stored) as AskedRow
      return isPending(row) && row.exp * 1000 > clock.now() ? [{ id: questionId(row), row, stored }] : []
    })
  }

  /** Whether that name is theirs at sign-in: two directories may have the same. */
  async function isTheirs(name: string, { id }: Person): Promise<boolean> {
    // a directory that cannot be asked does not make it theirs
    const found = await people.find(name).catch(() => undefined)
    return found?.id === id
  }

  /** Whether they may read it. Once read it stays, in every tab. */
  async function isHeard({ id, row }: Asked, person: string): Promise<boolean> {
    if ((await state.get(barred(row.clientId, person))) !== undefined) return false
    const read = `asked-read:${person}:${id}`
    if ((await state.get(read)) !== undefined) return true
    const { most, within } = OF_ONE_APP
    const counter = `asked-read-count:${row.clientId}:${person}`
    if (Number((await state.get(counter)) ?? 0) >= most) return false
    // in another tab at the same moment
    if (!(await state.add(read, '1', { ttl: lifeOf(row) }))) return true
    if ((await state.increment(counter, 1, within)) <= most) return true
    await state.increment(counter, -1, within)
    await state.delete(read)
    return false
  }

  return {
    async of(person, forThem = async () => true) {
      const found: Asked[] = []
      for (const id of [person.id, ...(await people.merging.absorbedBy(person.id))])
        found.push(...(await waiting(addressee('person', id))))
      const names = [person.username, ...(person.mail === undefined ? [] : [person.mail])]
      for (const [whom, name] of new Map(names.map((name) => [addresseeOfName(name), name]))) {
        const some = whom === undefined ? [] : await waiting(whom)
        if (some.length > 0 && (await isTheirs(name, person))) found.push(...some)
      }
      const shown: Asked[] = []
      for (const asked of inTurns(found)) {
        if (shown.length === MOST_SHOWN) break
        if ((await forThem(asked)) && (await isHeard(asked, person.id))) shown.push(asked)
      }
      return shown
    },

    async claim({ row, stored }) {
      const claimed = JSON.stringify({ ...row, answered: Math.floor(clock.now() / 1000) } satisfies AskedRow)
      return state.compareAndSwap(key(row), stored, claimed, { ttl: lifeOf(row) })
    },

    async settle({ row }, answer) {
      const settled = { ...row, answered: Math.floor(clock.now() / 1000), ...answer }
      const group = settled.grantId === undefined ? {} : { group: grantGroup(settled.grantId) }
      await state.set(key(row), JSON.stringify(settled), { ttl: lifeOf(row), ...group })
    },

    bar: (app, person, until) => state.set(barred(app, person), '1', { ttl: Math.max(1, until - clock.now()) }),
  }
}
