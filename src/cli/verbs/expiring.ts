/** `expiring`: what stops working within some time, for whom, and what to do about it. */
import { days } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Expiry, Unknown } from '../expiring/expiry.ts'
import { SOURCES } from '../expiring/sources/list.ts'
import type { Verb } from '../verb.ts'

const WITHIN = '60d'

export const expiring: Verb = {
  words: ['expiring'],
  usage: 'expiring [--within 60d]',
  summary:
    'certificates, secrets, metadata and keys that end soon: what stops working, when, for whom; 1 when there is any',
  options: ['within'],
  async run(args, context) {
    const text = args.flag('within') ?? WITHIN
    const within = parseDuration(text)
    if (within === undefined) {
      context.err('--within: expected a length of time like 60d')
      return 2
    }
    const house = await context.open()
    const now = context.clock.now()
    const found = []
    for (const source of SOURCES) found.push(await source.find(house, context))
    const soon = found
      .flatMap(({ expiring: all }) => all)
      .filter(({ at }) => at < now + within)
      .sort((a, b) => a.at - b.at || (`${a.what} ${a.of}` < `${b.what} ${b.of}` ? -1 : 1))
    const unknown = found.flatMap((one) => one.unknown ?? [])
    context.print({ within: text, expiring: soon.map(told), unknown }, () => [
      ...soon.flatMap((one) => lines(one, now)),
      ...unknown.map(unknownLine),
      ...(soon.length === 0
        ? [`nothing ends within ${text}${unknown.length > 0 ? ' as far as it could be found out' : ''}`]
        : []),
    ])
    return soon.length > 0 ? 1 : 0
  },
}

const told = ({ at, ...rest }: Expiry) => ({ at: new Date(at).toISOString(), ...rest })

const lines = ({ at, what, of, say, fix }: Expiry, now: number): string[] => [
  `${new Date(at).toISOString().slice(0, 10)}  ${away(at - now).padEnd(14)}  ${what}${of === undefined ? '' : ` of ${of}`}`,
  `    ${say}`,
  `    to do: ${fix}`,
]

function away(length: number): string {
  const count = Math.floor(Math.abs(length) / days(1))
  const text = count === 1 ? '1 day' : `${count} days`
  if (count === 0) return length < 0 ? 'today' : 'within a day'
  return length < 0 ? `since ${text}` : `in ${text}`
}

const unknownLine = ({ what, of, say }: Unknown): string => `unknown     ${what} ${of}: ${say}`
