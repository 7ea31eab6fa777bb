/** `sessions list | end` and `devices list | revoke`. */

import { Refusal } from '#core/refusal'
import type { Session } from '#sessions'
import type { Arguments, House, Verb } from '../verb.ts'

const BY = 'cli'
const time = (at: number): string => new Date(at).toISOString().slice(0, 19).concat('Z')

async function personOf(args: Arguments, house: House): Promise<string | undefined> {
  const username = args.flag('user')
  if (username === undefined) return undefined
  const person = await house.people.find(username)
  if (!person) throw new Refusal('person-unknown', 'command line')
  return person.id
}

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
    const personId = await personOf(args, house)
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
  summary: 'end sessions; their apps are signed out',
  options: ['user'],
  switches: ['all'],
  async run(args, context) {
    const ways = [args.positional.length > 0, args.flag('user') !== undefined, args.has('all')].filter(Boolean)
    if (ways.length !== 1) {
      context.err('sessions end takes session ids, or --user USERNAME, or --all')
      return 2
    }
    const house = await context.open()
    const { sessions } = house
    let ended = 0
    const personId = await personOf(args, house)
    if (personId !== undefined) ended = await sessions.endAll(personId, 'ended-by-administrator', BY)
    else if (args.has('all')) {
      const ids: string[] = []
      for await (const session of sessions.all()) ids.push(session.id)
      for (const id of ids) if (await sessions.end(id, 'ended-by-administrator', BY)) ended++
    } else {
      for (const id of args.positional) if (await sessions.end(id, 'ended-by-administrator', BY)) ended++
    }
    context.print({ ended }, () => `${ended} ended`)
    return ended === 0 && args.positional.length > 0 ? 1 : 0
  },
}

const listDevices: Verb = {
  words: ['devices', 'list'],
  usage: 'devices list --user USERNAME',
  summary: 'the devices a person is known on',
  options: ['user'],
  async run(args, context) {
    const house = await context.open()
    const personId = await personOf(args, house)
    if (personId === undefined) {
      context.err('devices list takes --user USERNAME')
      return 2
    }
    const found = await house.devices.ofPerson(personId)
    context.print(found, () =>
      found.length === 0
        ? 'no devices'
        : found.map((device) => {
            const until = house.devices.trustedUntil(device, personId)
            const trust = until === undefined ? 'not trusted' : `trusted until ${time(until)}`
            return `${device.id}  last seen ${time(device.lastSeenAt)}  ${trust}  ${device.label}`
          }),
    )
    return 0
  },
}

const revokeDevices: Verb = {
  words: ['devices', 'revoke'],
  usage: 'devices revoke ID… --user USERNAME | --all --user USERNAME',
  summary: 'forget devices of a person; the next sign-in there is one from an unknown device',
  options: ['user'],
  switches: ['all'],
  async run(args, context) {
    const house = await context.open()
    const personId = await personOf(args, house)
    if (personId === undefined || args.has('all') === args.positional.length > 0) {
      context.err('devices revoke takes device ids or --all, and --user USERNAME')
      return 2
    }
    let revoked = 0
    if (args.has('all')) revoked = await house.devices.forgetAll(personId, BY)
    for (const id of args.positional) {
      await house.devices.forget(personId, id, BY)
      revoked++
    }
    context.print({ revoked }, () => `${revoked} revoked`)
    return 0
  },
}

export const sessionsVerbs: Verb[] = [listSessions, endSessions, listDevices, revokeDevices]
