/** `audit tail | search`. */
import type { Receipt, Receipts } from '#access'
import { type AuditEntry, type AuditEvent, EVENTS } from '#audit'
import { nearest } from '#core/nearest'
import type { Diagnosed } from '#diagnosis'
import type { People, Person } from '#directory'
import { spanOf } from '../moment.ts'
import type { Arguments, Context, Verb } from '../verb.ts'
import { byAnyId, usernamesOf } from './person-lines.ts'

const MOST = 1000

type Row = Omit<AuditEntry, 'id' | 'event'> & { id?: number; event: string }

/** People by their ids, which stay when names change, and the user names that they have now. */
async function lines(found: readonly Row[], people: People): Promise<string[]> {
  const names = await usernamesOf(
    found.flatMap(({ subject, actor }) => [subject, actor]),
    people,
  )
  return found.map((row) => line(row, names))
}

function line({ id: _id, at, event, ...fields }: Row, names: ReadonlyMap<string, string>): string {
  const nameOf = (field: string, value: unknown) =>
    field === 'subject' || field === 'actor' ? names.get(String(value)) : undefined
  const said = Object.entries(fields).map(([field, value]) => {
    const name = nameOf(field, value)
    return `${field}=${value}${name === undefined ? '' : ` (${name})`}`
  })
  return [new Date(at).toISOString(), event.padEnd(22), ...said].join('  ').trimEnd()
}

/** A decision as a line of the same kind; it is kept with its facts, which `policy explain --receipt` shows. */
const decisionOf = ({ at, reference, person, app, outcome, policy, rule, policies }: Receipt) => ({
  at,
  event: 'decision' as const,
  ...Object.fromEntries(
    Object.entries({ subject: person, app, receipt: reference, outcome, policy, rule, policies }).filter(
      ([, value]) => value !== undefined,
    ),
  ),
})

/** The last failure of an app, which `policy explain --receipt` and `apps show` tell in full. */
const failureOf = ({ lastAt, app, cause, reference, count }: Diagnosed) => ({
  at: lastAt,
  event: 'app-failing' as const,
  ...{ app, receipt: reference, cause, count },
})

/** 1 to 1000, or undefined after saying what is wrong. */
function limitOf(args: Arguments, context: Context, usual: number): number | undefined {
  const written = args.flag('limit')
  if (written === undefined) return usual
  const limit = /^\d{1,4}$/.test(written) ? Number(written) : 0
  if (limit >= 1 && limit <= MOST) return limit
  context.err(`--limit: expected a number from 1 to ${MOST}`)
  return undefined
}

const tail: Verb = {
  words: ['audit', 'tail'],
  usage: 'audit tail [--limit N]',
  summary: 'what happened last, the newest at the end',
  options: ['limit'],
  async run(args, context) {
    const limit = limitOf(args, context, 20)
    if (limit === undefined) return 2
    const { audit, people } = await context.open()
    const found = (await audit.search({ limit })).reverse()
    const said = await lines(found, people)
    context.print(found, () => said)
    return 0
  },
}

const search: Verb = {
  words: ['audit', 'search'],
  usage:
    'audit search [--subject USERNAME|ID] [--actor ID] [--event E] [--app A] [--device ID] [--receipt REF] [--since 7d] [--until T] [--before N] [--limit N] [--decisions]',
  summary: 'what happened to a person, an app, a device or a decision, the newest first',
  options: ['subject', 'actor', 'event', 'app', 'device', 'receipt', 'since', 'until', 'before', 'limit'],
  switches: ['decisions'],
  async run(args, context) {
    const limit = limitOf(args, context, 100)
    if (limit === undefined) return 2
    const event = args.flag('event')
    if (event !== undefined && !Object.hasOwn(EVENTS, event)) {
      const near = nearest(event, Object.keys(EVENTS))
      context.err(`--event: there is no such event${near ? `; did you mean ${near}?` : ''}`)
      return 2
    }
    const moments = spanOf(args, context)
    if (!moments) return 2
    const before = args.flag('before')
    if (before !== undefined && !/^\d{1,15}$/.test(before)) {
      context.err('--before: expected the id of an entry')
      return 2
    }
    const named = args.flag('subject')
    if (args.has('decisions') && named === undefined) {
      context.err('--decisions: say whose, by --subject')
      return 2
    }
    const { audit, diagnosis, people, receipts } = await context.open()
    const person = named === undefined ? undefined : await personNamed(named, people)
    // whoever was removed is in the trail under an id that is nobody's any more
    const subjects =
      typeof person === 'object'
        ? [person.id, ...(await people.merging.absorbedBy(person.id))]
        : named === undefined
          ? undefined
          : [named]
    const reference = args.flag('receipt')
    const decided = [
      ...(reference === undefined ? [] : [await receipts.find(reference)]),
      ...(args.has('decisions') ? await decisionsOf(subjects!, receipts, limit) : []),
    ].filter((receipt) => receipt !== undefined)
    const events = await audit.search({
      subject: subjects,
      actor: args.flag('actor'),
      app: args.flag('app'),
      device: args.flag('device'),
      receipt: reference,
      event: event as AuditEvent | undefined,
      before: before === undefined ? undefined : Number(before),
      ...moments,
      limit,
    })
    const failure = reference === undefined ? undefined : await diagnosis.byReference(reference)
    const found = [...(failure ? [failureOf(failure)] : []), ...decided.map(decisionOf), ...events]
    if (found.length === 0 && typeof person !== 'object' && named !== undefined)
      if ((await audit.search({ subject: named, limit: 1 })).length === 0) {
        context.err(person === 'not-asked' ? NOT_ASKED(named) : await nobodyLine(named, people))
        context.print([], () => [])
        return 1
      }
    const said = await lines(found, people)
    context.print(found, () => (found.length > 0 ? said : 'nothing found'))
    return found.length > 0 ? 0 : 1
  },
}

/** By id, else by user name. A directory that cannot be asked keeps nobody from reading the trail. */
const personNamed = async (named: string, people: People): Promise<Person | undefined | 'not-asked'> =>
  (await byAnyId(named, people)) ?? people.find(named).catch(() => 'not-asked' as const)

const NOT_ASKED = (named: string): string =>
  `nothing found under \`${named}\`, and the directories that could know somebody of that name cannot be asked now`

const MOST_NEAR = 3
const PAGE = 1000

async function nobodyLine(named: string, people: People): Promise<string> {
  const names = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = await people.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { username } of page) names.add(username)
    after = page.at(-1)?.id
    if (page.length < PAGE) break
  }
  const near: string[] = []
  for (let one = nearest(named, names); one !== undefined && near.length < MOST_NEAR; one = nearest(named, names)) {
    near.push(one)
    names.delete(one)
  }
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; `people list` shows who is there'
  return `nobody known here has the user name or id \`${named}\`, and the trail has nothing under it${hint}`
}

/** Newest first, under all ids that the person has had. */
async function decisionsOf(people: readonly string[], receipts: Receipts, limit: number): Promise<Receipt[]> {
  const all = await Promise.all(people.map((id) => receipts.ofPerson(id, limit)))
  return all
    .flat()
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
}

export const auditVerbs: Verb[] = [tail, search]
