/** `devices list | enrol | revoke`: what people are known on, and what the organisation has set up. */
import { formatDuration, parseDuration } from '#core/duration'
import { nearest } from '#core/nearest'
import { loadPolicies } from '#policy'
import {
  CODE_LIFE,
  DEVICE_KINDS,
  type DeviceKind,
  type EnrolledDevice,
  LONGEST_CODE_LIFE,
  LONGEST_DEVICE_NAME,
} from '#sessions'
import { together } from '#storage'
import type { Arguments, Context, Verb } from '../verb.ts'
import { BY, time, userIn } from './person-lines.ts'
import { folderOf, policiesInForce } from './policy-folder.ts'

const enrolledLine = ({ id, kind, site, name, enrolledAt, lastSeenAt }: EnrolledDevice): string =>
  `${id}  ${kind}  ${site === undefined ? 'no site' : `site ${site}`}  ${name}  enrolled ${time(enrolledAt)}  last seen ${time(lastSeenAt)}`

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

/** More than that in one command is a mistake. */
const MOST_CODES = 10_000

const enrol: Verb = {
  words: ['devices', 'enrol'],
  usage: `devices enrol [--kind shared|personal] [--site SITE]… [--name NAME] [--for ${formatDuration(CODE_LIFE)}] [--count N]`,
  summary: 'codes and links that each enrol one device, once; a shared one unless said otherwise',
  options: ['kind', 'site', 'name', 'for', 'count'],
  async run(args, context) {
    const wanted = readWanted(args)
    if (typeof wanted === 'string') {
      context.err(wanted)
      return 2
    }
    await warnOfSites(args, context, wanted.sites)
    const { devices } = await context.open()
    const { issuer } = context.settings
    const { kind, name, life, count } = wanted
    const sites = wanted.sites.length > 0 ? wanted.sites : [undefined]
    const made = await together(async () => {
      const codes: Code[] = []
      for (const site of sites) {
        for (let number = 1; number <= count; number++) {
          const about = { kind, site, name: name !== undefined && count > 1 ? `${name} ${number}` : name }
          const { code, endsAt } = await devices.enrolment.begin(about, BY, life)
          codes.push({ code, url: `${issuer}/device/${code}`, ...about, endsAt })
        }
      }
      return codes
    })
    context.print(made, () => [
      ...made.map(
        ({ code, url, site, name: called, endsAt }) =>
          `${code}  ${url}  ${[kind, site && `site ${site}`, called].filter(Boolean).join('  ')}  until ${time(endsAt)}`,
      ),
      `type a code at ${issuer}/device in the browser of the device, or open its link there`,
    ])
    return 0
  },
}

interface Code {
  readonly code: string
  readonly url: string
  readonly kind: DeviceKind
  readonly site: string | undefined
  readonly name: string | undefined
  readonly endsAt: number
}

interface Wanted {
  readonly kind: DeviceKind
  readonly sites: readonly string[]
  readonly name: string | undefined
  readonly life: number
  readonly count: number
}

/** What the flags say, or what is wrong with them. */
function readWanted(args: Arguments): Wanted | string {
  const kind = DEVICE_KINDS.find((one) => one === (args.flag('kind') ?? 'shared'))
  const life = parseDuration(args.flag('for') ?? formatDuration(CODE_LIFE))
  const written = args.flag('count') ?? '1'
  const count = /^\d{1,6}$/.test(written) ? Number(written) : 0
  const sites = [...new Set(args.flags('site'))]
  const name = args.flag('name')
  if (args.positional.length > 0) return `devices enrol takes flags only, not \`${args.positional[0]}\``
  if (!kind) return '`--kind` takes shared or personal'
  if (life === undefined || life <= 0 || life > LONGEST_CODE_LIFE)
    return `\`--for\` takes a time like \`30m\` or \`12h\`, at most \`${formatDuration(LONGEST_CODE_LIFE)}\``
  if (count < 1 || count * Math.max(sites.length, 1) > MOST_CODES) return `\`--count\` takes 1 to ${MOST_CODES} in all`
  for (const text of [...sites, ...(name === undefined ? [] : [name])])
    if (!isLine(text)) return `a site and a name are one line of 1 to ${LONGEST_DEVICE_NAME} characters`
  return { kind, sites, name, life, count }
}

const isLine = (text: string): boolean =>
  text.trim() !== '' && text.length <= LONGEST_DEVICE_NAME && !/[\p{Cc}\p{Cs}]/u.test(text)

/** Whoever got one wrong reads it; whoever got all wrong reads no thousands of them. */
const MOST_WARNINGS = 20

/** A site that no rule can place is no mistake, but most often a slip of the finger. */
async function warnOfSites(args: Arguments, context: Context, sites: readonly string[]): Promise<void> {
  if (sites.length === 0) return
  const policies = (await policiesInForce(context)) ?? loadPolicies(folderOf(args, context)).policies
  const known = policies?.sites.names
  if (!known || known.size === 0) return
  const unknown = sites.filter((one) => !known.has(one))
  for (const site of unknown.slice(0, MOST_WARNINGS)) {
    const near = nearest(site, known)
    context.err(`no site file of the policies names \`${site}\`${near ? `; did you mean \`${near}\`?` : ''}`)
  }
  const rest = unknown.length - MOST_WARNINGS
  if (rest > 0) context.err(`nor do they name ${rest} more of these sites`)
}

const revoke: Verb = {
  words: ['devices', 'revoke'],
  usage: 'devices revoke ID… | --site SITE | ID… --user USERNAME | --all --user USERNAME',
  summary: 'devices are no longer enrolled, from the next request on; with --user, a person is no longer known on them',
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
    for (const id of ids) {
      await (personId === undefined ? devices.enrolled.revoke(id, BY) : devices.forget(personId, id, BY))
      revoked++
    }
    context.print({ revoked }, () => `${revoked} revoked`)
    return 0
  },
}

export const devicesVerbs: Verb[] = [list, enrol, revoke]
