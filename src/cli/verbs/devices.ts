/** `devices list | revoke`: what people are known on, and what the organisation has set up. */
import { Refusal } from '#core/refusal'
import type { EnrolledDevice } from '#sessions'
import { time } from '../moment.ts'
import type { Verb } from '../verb.ts'
import { codesVerbs } from './device-codes.ts'
import { BY, userIn } from './person-lines.ts'

const enrolledLine = ({ id, kind, site, name, enrolledAt, enrolledFrom, lastSeenAt }: EnrolledDevice): string =>
  `${id}  ${kind}  ${site === undefined ? 'no site' : `site ${site}`}  ${name}  enrolled ${time(enrolledAt)}${enrolledFrom === undefined ? '' : ` from ${enrolledFrom}`}  last seen ${time(lastSeenAt)}`

const list: Verb = {
  words: ['devices', 'list'],
  usage: 'devices list --user USERNAME | --enrolled [--site SITE]',
  summary: 'the devices a person is known on, or those that are enrolled',
  options: ['user', 'site'],
  switches: ['enrolled'],
  async run(args, context) {
    const site = args.flag('site')
    const enrolled = args.has('enrolled') || site !== undefined
    if (enrolled === (args.flag('user') !== undefined) || args.positional.length > 0) {
      context.err('devices list takes --user USERNAME, or --enrolled and --site SITE')
      return 2
    }
    const house = await context.open()
    if (enrolled) {
      const found = await house.devices.enrolled.list({ site })
      context.print(found, () => (found.length === 0 ? 'no devices' : found.map(enrolledLine)))
      return 0
    }
    const personId = (await userIn(args, house))!
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

const revoke: Verb = {
  words: ['devices', 'revoke'],
  usage: 'devices revoke ID… | --site SITE | ID… --user USERNAME | --all --user USERNAME',
  summary: 'devices are no longer enrolled, and sessions on them end; with --user, a person is no longer known on them',
  options: ['user', 'site'],
  switches: ['all'],
  async run(args, context) {
    const [user, site] = [args.flag('user'), args.flag('site')]
    const ways = [args.positional.length > 0, site !== undefined, args.has('all')].filter(Boolean)
    if (ways.length !== 1 || (user === undefined ? args.has('all') : site !== undefined)) {
      context.err('devices revoke takes device ids or --site SITE; with --user USERNAME device ids or --all')
      return 2
    }
    const house = await context.open()
    const { devices } = house
    const personId = await userIn(args, house)
    let revoked = 0
    if (personId !== undefined && args.has('all')) revoked = await devices.forgetAll(personId, BY)
    const ids = site === undefined ? args.positional : (await devices.enrolled.list({ site })).map(({ id }) => id)
    const rows: { id: string; result: 'revoked' | 'refused'; reason?: string }[] = []
    for (const id of new Set(ids)) {
      try {
        await (personId === undefined ? devices.enrolled.revoke(id, BY) : devices.forget(personId, id, BY))
        rows.push({ id, result: 'revoked' })
      } catch (error) {
        // whoever lists five stolen tablets with one slip of the finger must not keep four of them enrolled
        if (!(error instanceof Refusal) || error.code !== 'device-unknown') throw error
        rows.push({ id, result: 'refused', reason: error.code })
        context.err(`${id}: ${error.code}: ${error.say}`)
      }
    }
    revoked += rows.filter(({ result }) => result === 'revoked').length
    context.print({ revoked, rows }, () => `${revoked} revoked`)
    return rows.some(({ result }) => result === 'refused') ? 1 : 0
  },
}

export const devicesVerbs: Verb[] = [list, ...codesVerbs, revoke]
