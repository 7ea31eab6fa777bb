/** `devices enrol | codes | cancel`: the codes with which devices are enrolled. */
import { isIP } from 'node:net'
import { formatDuration, parseDuration } from '#core/duration'
import { nearest } from '#core/nearest'
import { loadPolicies } from '#policy'
import {
  CODE_LIFE,
  DEVICE_KINDS,
  type DeviceKind,
  LONGEST_CODE_LIFE,
  LONGEST_DEVICE_NAME,
  type OpenCode,
} from '#sessions'
import { together } from '#storage'
import { time } from '../moment.ts'
import type { Arguments, Context, Verb } from '../verb.ts'
import { BY } from './person-lines.ts'
import { folderOf, policiesInForce } from './policy-folder.ts'

/** More than that in one command is a mistake. */
const MOST_CODES = 10_000

const enrol: Verb = {
  words: ['devices', 'enrol'],
  usage: `devices enrol [--kind shared|personal] [--site SITE]… [--name NAME] [--from ADDRESS|NETWORK]… [--for ${formatDuration(CODE_LIFE)}] [--count N]`,
  summary:
    'codes and links that each enrol one device, once; a shared one unless said otherwise; --from: only in that network',
  options: ['kind', 'site', 'name', 'from', 'for', 'count'],
  async run(args, context) {
    const wanted = readWanted(args)
    if (typeof wanted === 'string') {
      context.err(wanted)
      return 2
    }
    await warnOfSites(args, context, wanted.sites)
    const { devices } = await context.open()
    const { issuer } = context.settings
    const { kind, name, from, life, count } = wanted
    const sites = wanted.sites.length > 0 ? wanted.sites : [undefined]
    const made = await together(async () => {
      const list: Code[] = []
      for (const site of sites) {
        for (let number = 1; number <= count; number++) {
          const about = { kind, site, name: name !== undefined && count > 1 ? `${name} ${number}` : name, from }
          const { code, id, endsAt } = await devices.enrolment.begin(about, BY, life)
          list.push({ code, url: `${issuer}/device/${code}`, id, ...about, endsAt })
        }
      }
      return list
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
  readonly id: string
  readonly kind: DeviceKind
  readonly site: string | undefined
  readonly name: string | undefined
  readonly from: readonly string[] | undefined
  readonly endsAt: number
}

interface Wanted {
  readonly kind: DeviceKind
  readonly sites: readonly string[]
  readonly name: string | undefined
  readonly from: readonly string[] | undefined
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
  const from = args.flags('from')
  const wrong = from.find((one) => !isNetwork(one))
  if (wrong !== undefined || from.length > MOST_NETWORKS)
    return `\`--from\` takes an address or a network like 192.0.2.0/24, at most ${MOST_NETWORKS} of them${wrong === undefined ? '' : `, not \`${wrong}\``}`
  return { kind, sites, name, from: from.length > 0 ? [...from] : undefined, life, count }
}

const MOST_NETWORKS = 20

function isNetwork(text: string): boolean {
  const [ip = '', bits, ...more] = text.split('/')
  const version = isIP(ip)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32))
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

const codeLine = ({ id, kind, site, name, from, by, endsAt }: OpenCode): string =>
  [
    id,
    kind,
    site === undefined ? 'no site' : `site ${site}`,
    ...(name ? [name] : []),
    ...(from ? [`only from ${from.join(', ')}`] : []),
    `by ${by}`,
    `until ${time(endsAt)}`,
  ].join('  ')

const codes: Verb = {
  words: ['devices', 'codes'],
  usage: 'devices codes [--site SITE]',
  summary: 'codes that still enrol a device; each is told once, to whoever makes it, so a list shows its id',
  options: ['site'],
  async run(args, context) {
    if (args.positional.length > 0) {
      context.err(`devices codes takes flags only, not \`${args.positional[0]}\``)
      return 2
    }
    const site = args.flag('site')
    const { devices } = await context.open()
    const found = (await devices.enrolment.open()).filter((one) => site === undefined || one.site === site)
    context.print(found, () => (found.length === 0 ? 'no codes' : found.map(codeLine)))
    return 0
  },
}

const cancel: Verb = {
  words: ['devices', 'cancel'],
  usage: 'devices cancel ID|CODE… | --site SITE | --all',
  summary: 'codes enrol no device any more',
  options: ['site'],
  switches: ['all'],
  async run(args, context) {
    const site = args.flag('site')
    if ([args.positional.length > 0, site !== undefined, args.has('all')].filter(Boolean).length !== 1) {
      context.err('devices cancel takes codes, or ids that `devices codes` shows, or --site SITE, or --all')
      return 2
    }
    const { devices } = await context.open()
    const named =
      args.positional.length > 0
        ? args.positional
        : (await devices.enrolment.open()).filter((one) => site === undefined || one.site === site).map(({ id }) => id)
    const cancelled = await devices.enrolment.cancel(named, BY)
    context.print({ cancelled }, () => `${cancelled} cancelled`)
    return cancelled === 0 && args.positional.length > 0 ? 1 : 0
  },
}

export const codesVerbs: Verb[] = [enrol, codes, cancel]
