/** `sessions list | end`. */
import type { Session } from '#sessions'
import type { Verb } from '../verb.ts'
import { BY, time, userIn } from './person-lines.ts'

const line = (session: Session): string =>
  [
    session.id,
    session.personId,
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
    context.print(found, () => (found.length > 0 ? found.map(line) : 'no sessions'))
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
    let ended = 0
    /** With what apps were given to go on without a session: whoever ends everything means that as well. */
    const endAll = async (personId: string) => {
      ended += await sessions.endAll(personId, 'ended-by-administrator', BY)
      await endings.revoke(personId)
    }
    const personId = await userIn(args, house)
    if (personId !== undefined) await endAll(personId)
    else if (args.has('all')) {
      const people = new Set<string>()
      for await (const session of sessions.all()) people.add(session.personId)
      for (const id of people) await endAll(id)
    } else {
      for (const id of args.positional) if (await sessions.end(id, 'ended-by-administrator', BY)) ended++
    }
    context.print({ ended }, () => `${ended} ended`)
    return ended === 0 && args.positional.length > 0 ? 1 : 0
  },
}

export const sessionsVerbs: Verb[] = [listSessions, endSessions]
