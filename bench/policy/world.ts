/** Policies of a size that hurts, and questions about them: the same ones in every run. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Facts } from '#policy'

export const SHIPPED = join(import.meta.dirname, '../../policies')
/** Of one policy. */
export const RULES = 200
export const SITES = 7000
export const GROUPS = 50
const TAGS = 12
/** A Monday. */
export const NINE = Date.UTC(2026, 10, 23, 9)
const MINUTE = 60_000

/** A generator of numbers below `n` (mulberry32), so that two runs measure the same. */
export function numbers(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * n)
  }
}

/** Site `n` has a /26 of its own. */
const siteAddress = (n: number, host = 0) => `10.${n >> 10}.${(n >> 2) & 255}.${(n & 3) * 64 + host}`

function writeSites(folder: string, count: number): void {
  mkdirSync(join(folder, 'networks'), { recursive: true })
  const rows = Array.from({ length: count }, (_, n) => {
    const place = `${(50 + (n % 300) / 100).toFixed(2)},${(4 + (n % 200) / 100).toFixed(2)}`
    return `${siteAddress(n)}/26,site-${n},${place},${n % 3 === 0 ? 'BE' : 'NL'},Europe/Amsterdam`
  })
  writeFileSync(join(folder, 'networks/shops.csv'), `cidr,site,latitude,longitude,country,zone\n${rows.join('\n')}\n`)
}

/** What stands in the way of the first condition being all that is looked at, now and then. */
const ALSO = [
  {},
  { network: { outside: ['shops', 'office'] } },
  { time: { days: 'sat-sun', between: '22:00-06:00', zone: 'Europe/Amsterdam' } },
  { 'device.known': true, 'session.age': { over: '8h' } },
  { any: [{ 'app.tier': ['critical'] }, { 'user.organisation': { under: ['retail/de'] } }] },
  { not: { network: ['shops'] } },
]

/** One policy of so many rules, of which the last lets in whoever comes so far. */
function writePolicy(folder: string, name: string, count: number): void {
  const random = numbers(count)
  const lines = Array.from({ length: count - 1 }, (_, n) => {
    const who = { 'user.groups': [`group-${random(GROUPS)}`] }
    const what = { 'app.tags': [`tag-${random(TAGS)}`] }
    const when = { ...(n % 2 === 0 ? who : what), ...ALSO[n % ALSO.length], ...(n % 2 === 0 ? what : who) }
    return `  - name: rule ${n}\n    when: ${JSON.stringify(when)}\n    allow: { strength: two-factors, within: 4h }\n`
  })
  const last = '  - name: everybody\n    allow: { strength: two-factors, within: 12h }\n'
  writeFileSync(join(folder, `${name}.yaml`), `policy: ${name}\nrules:\n${lines.join('')}${last}`)
}

/** The networks that the rules name: thousands of sites, and one range. */
export function writeNetworks(folder: string, sites: number): void {
  writeSites(folder, sites)
  const networks = { shops: { file: 'networks/shops.csv' }, office: { ranges: ['192.0.2.0/24'] } }
  writeFileSync(join(folder, 'world.yaml'), JSON.stringify({ networks }))
}

export function writeWorld(
  folder: string,
  { names, rules, sites }: { readonly names: readonly string[]; readonly rules: number; readonly sites: number },
): void {
  mkdirSync(folder, { recursive: true })
  writeNetworks(folder, sites)
  for (const name of names) writePolicy(folder, name, rules)
}

/** So many policies of 200 rules are 10,000 rules. */
export const FIFTY: readonly string[] = Array.from({ length: 50 }, (_, n) => `large-${n}`)

/** Questions of many people, from many places, about many apps. */
export function questions(count: number, policy: string, sites: number): Facts[] {
  const random = numbers(7)
  return Array.from({ length: count }, (_, n) => {
    // one after another, as they come
    const at = NINE + n * 1000
    const started = at - random(500) * MINUTE
    const proof = (factor: string) => ({ factor, at: started, user_verified: true })
    return {
      at,
      request: { kind: 'app' as const, started: at },
      user: {
        id: `person-${n}`,
        username: `person-${n}`,
        directory: 'staff',
        organisation: `retail/${random(2) === 0 ? 'nl' : 'de'}/region-${random(20)}`,
        groups: [`group-${random(GROUPS)}`, `group-${random(GROUPS)}`, 'staff'],
        attributes: {},
      },
      app: { id: `app-${random(220)}`, policy, tags: [`tag-${random(TAGS)}`], tier: 'standard', audience: ['staff'] },
      network: { ip: random(5) === 0 ? `203.0.113.${random(250)}` : siteAddress(random(sites), 1 + random(60)) },
      device: { id: `device-${n}`, known: random(3) > 0, kind: 'personal' as const },
      session: { started, authenticated: random(3) === 0 ? [proof('password')] : [proof('password'), proof('totp')] },
    }
  })
}
