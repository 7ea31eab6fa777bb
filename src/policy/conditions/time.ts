import { z } from 'zod'
import { nearest } from '#core/nearest'
import type { Condition } from '../condition.ts'
import { siteOf } from '../scene.ts'
import { around, DAYS, openTimeZone, parseMinute, type TimeZone, type WallClock, wallClock } from '../wall-clock.ts'
import { weeksOf } from '../weeks.ts'
import { addressSample, clocksOf } from '../whereabouts.ts'
import { atLeast, distinct } from './shapes.ts'

interface Wanted {
  days?: ReadonlySet<number> | undefined
  between?: { from: number; to: number } | undefined
  zone: TimeZone | typeof SITE
}

/** `mon`, `mon-fri`, `sat-mon`, or a list of these. */
const days = z
  .union([z.string().transform((one) => [one]), z.array(z.string()).min(1, 'expected at least one')])
  .transform((list, ctx) => {
    const chosen = new Set<number>()
    for (const text of list) {
      const [from, to = from, ...rest] = text
        .toLowerCase()
        .split('-')
        .map((name) => DAYS.indexOf(name as (typeof DAYS)[number]))
      if (from === undefined || from < 0 || to === undefined || to < 0 || rest.length > 0) {
        ctx.addIssue(`expected days like \`mon-fri\` or \`[mon, wed]\`, not \`${text.slice(0, 40)}\``)
        continue
      }
      for (let day = from; ; day = (day + 1) % 7) {
        chosen.add(day)
        if (day === to) break
      }
    }
    return chosen as ReadonlySet<number>
  })

const between = z.string().transform((text, ctx) => {
  const [from, to, ...rest] = text.split('-').map((part) => parseMinute(part.trim()))
  if (from === undefined || to === undefined || rest.length > 0 || from === 1440 || from === to) {
    ctx.addIssue('expected two different times like `08:00-18:00`')
    return z.NEVER
  }
  return { from, to }
})

/** As a rule names the zone of wherever somebody is. */
const SITE = 'site'

const zone = z.string('expected a time zone like `Europe/Amsterdam`').transform((name, ctx) => {
  const open = name === SITE ? SITE : openTimeZone(name)
  if (open) return open
  const near = nearest(name, [...Intl.supportedValuesOf('timeZone'), SITE])
  const message = `is no time zone${near ? `; did you mean \`${near}\`?` : ', expected one like `Europe/Amsterdam`'}`
  ctx.addIssue({ code: 'custom', message, params: { code: 'unknown-time-zone' } })
  return z.NEVER
})

function holds({ days: chosen, between: window }: Wanted, { day, minute }: WallClock): boolean {
  const on = (d: number) => !chosen || chosen.has(d)
  if (!window) return on(day)
  const { from, to } = window
  if (from < to) return on(day) && minute >= from && minute < to
  return (minute >= from && on(day)) || (minute < to && on((day + 6) % 7))
}

/** Minutes of the day at which the answer can turn. */
const edges = ({ between: window }: Wanted): number[] => [0, ...(window ? [window.from, window.to % 1440] : [])]

/** As far as `turns` looks ahead: every weekday once, and today again. */
const DAYS_AHEAD = 8

/**
 * What the clock on the wall of that zone shows, so the hour that a clock change repeats counts twice and the one it
 * skips never comes. A window over midnight belongs to the day on which it opened. The end is not part of it.
 */
export const time: Condition<Wanted, WallClock> = {
  name: 'time',
  wanted: z
    .strictObject({ days: days.optional(), between: between.optional(), zone })
    .refine((form) => form.days || form.between, atLeast('`days` or `between`')) as unknown as z.ZodType<Wanted>,
  needs: ({ zone: of }) => (of === SITE ? [{ signal: 'enrolment' }] : []),
  prepare: (wanted) => ({
    why: wanted.zone === SITE ? 'the time zone of the site is not known' : 'the time is not known',
    see(scene) {
      const of = wanted.zone === SITE ? siteOf(scene)?.zone : wanted.zone
      return scene.at === undefined || of === undefined ? undefined : wallClock(of, scene.at)
    },
    holds: (seen) => holds(wanted, seen),
    show({ day, minute }) {
      const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
      return `${DAYS[day]} ${two(minute / 60)}:${two(minute % 60)}`
    },
  }),
  samples(all, sampling) {
    const bySite = all.some(({ zone: of }) => of === SITE)
    const sites = bySite ? clocksOf(sampling) : []
    const clocks = sites.flatMap((site) => site.zone ?? [])
    const zonesFor = (wanted: Wanted) => (wanted.zone === SITE ? clocks : [wanted.zone])
    const zones = [...new Map(all.flatMap(zonesFor).map((of) => [of.name, of])).values()]
    const instants = distinct(weeksOf(zones, [...new Set(all.flatMap(edges))]), (at) =>
      all.map((wanted) => zonesFor(wanted).map((of) => +holds(wanted, wallClock(of, at)))).join(''),
    )
    const names = sites.map(({ name }) => name)
    return [
      { fact: 'at', values: () => instants },
      ...(bySite ? [addressSample(sampling), { fact: 'device.site', values: () => names }] : []),
    ]
  },
  turns(wanted, at, scene) {
    const of = wanted.zone === SITE ? siteOf(scene)?.zone : wanted.zone
    if (!of) return []
    const instants = edges(wanted).flatMap((minute) => {
      const ahead: number[] = []
      for (let next = at; ahead.length < DAYS_AHEAD; ahead.push(next))
        next = around({ zone: of, minute, text: '' }, next).next
      return ahead
    })
    return instants.sort((a, b) => a - b)
  },
}
