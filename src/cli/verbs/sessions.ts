/** `sessions list | end`. */
import type { Session } from '#sessions'
import { time } from '../moment.ts'
import type { House, Verb } from '../verb.ts'
import { BY, userIn, usernamesOf } from './person-lines.ts'

const line = (session: Session, names: ReadonlyMap<string, string>): string =>
  [
    session.id,
    names.get(session.personId) ?? session.personId,
    `since ${time(session.startedAt)}`,
    `until ${time(Math.min(session.idleEndsAt, session.endsAt))}`,
    session.authenticated.map((proof) => proof.factor).join('+') || '-',
    session.address,
    `${session.apps.length} ${session.apps.length === 1 ? 'app' : 'apps'}`,
  ].join('  ')

const listSessions: Verb = {
  words: ['sessions', 'list'],
  usage: 'sessions list [--user USERNAME]',
  summary: 'living sessions, of everybody or of one person',
  options: ['user'],
  async run(args, context) {
    const house = await context.open()
    const personId = await userIn(args, house)
    const found: Session[] = []
    if (personId !== undefined) found.push(...(await house.sessions.ofPerson(personId)))
    else for await (const session of house.sessions.all()) found.push(session)
    const names = await usernamesOf(
      found.map((one) => one.personId),
      house.people,
    )
    context.print(found, () => (found.length > 0 ? found.map((one) => line(one, names)) : 'no sessions'))
    return 0
  },
}

const endSessions: Verb = {
  words: ['sessions', 'end'],
  usage: 'sessions end ID… | --user USERNAME | --all',
  summary: 'end sessions; their apps are signed out, and without ids tokens that outlive a session end too',
  options: ['user'],
  switches: ['all'],
  async run(args, context) {
    const ways = [args.positional.length > 0, args.flag('user') !== undefined, args.has('all')].filter(Boolean)
    if (ways.length !== 1) {
      context.err('sessions end takes session ids, or --user USERNAME, or --all')
      return 2
    }
    const house = await context.open()
    const { sessions, endings } = house
    const untold = createUntold(house)
    let ended = 0
    let revoked: number | undefined
    const endAll = async (personId: string) => {
      const before = await sessions.ofPerson(personId)
      ended += await sessions.endAll(personId, REASON, BY)
      for (const session of before) await untold.note(session)
    }
    const personId = await userIn(args, house)
    if (personId !== undefined) {
      await endAll(personId)
      await endings.revoke(personId)
    } else if (args.has('all')) {
      const people = new Set<string>()
      for await (const session of sessions.all()) people.add(session.personId)
      for (const id of people) await endAll(id)
      revoked = await endings.revokeAll()
    } else {
      for (const id of args.positional) {
        const session = await sessions.byId(id)
        if (!(await sessions.end(id, REASON, BY))) continue
        ended++
        if (session) await untold.note(session)
      }
    }
    const apps = untold.list()
    context.print({ ended, ...(revoked === undefined ? {} : { revoked }), untold: apps }, () => [
      revoked === undefined ? `${ended} ended` : `${ended} ended, tokens of ${revoked} people revoked`,
      ...apps.map(
        ({ app, count, because }) =>
          `${app} is not told (${count} ${count === 1 ? 'session' : 'sessions'}): ${SAY[because]}`,
      ),
    ])
    return ended === 0 && args.positional.length > 0 ? 1 : 0
  },
}

const REASON = 'ended-by-administrator'
/** Why an app does not hear of an end that no browser has seen. */
const SAY = {
  browser: 'only the browser can tell it, when it comes back to us within a day',
  never: 'it takes no sign-outs',
} as const

/** The apps of sessions that have ended which nothing is sent to from here. */
function createUntold({ signOuts }: Pick<House, 'signOuts'>) {
  const found = new Map<string, { app: string; because: keyof typeof SAY; count: number }>()
  return {
    async note(session: Session): Promise<void> {
      for (const { app, state } of await signOuts.progress({ session, reason: REASON })) {
        if (state !== 'browser' && state !== 'never') continue
        const count = (found.get(app)?.count ?? 0) + 1
        found.set(app, { app, because: state, count })
      }
    },
    list: () => [...found.values()],
  }
}

export const sessionsVerbs: Verb[] = [listSessions, endSessions]
