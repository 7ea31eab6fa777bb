/** docs/policy-timelines.md: every row of every timeline happens as it is written there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadSettings } from '#config'
import { parseDuration } from '#core/duration'
import { decide } from '#policy'
import { LIFETIMES } from '../../src/protocol/oidc/lifetimes.ts'
import { load } from '../policy/house.ts'
import { DEFAULTS, openVisitor, SITES } from './visitor.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/policy-timelines.md'), 'utf8')
const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!)
const [, csv] = /```csv\n(.*?)```/s.exec(page)!
const files = {
  ...Object.fromEntries(blocks.map((text, i) => [`${i}.yaml`, text])),
  'networks/shops.csv': csv,
}

type Row = readonly [when: string, what: string, answer: string, because: string]
interface Timeline {
  readonly title: string
  readonly kind: 'person' | 'clock'
  /** The last one that was written before it. */
  readonly policy: string
  readonly rows: readonly Row[]
}

const named = (texts: Iterable<string>) => [...texts].map((text) => parse(text).policy as string | undefined)
const timelines: Timeline[] = [...page.matchAll(/\| (at|instant) \|.*\n\| ---.*\n((?:\|.*\n)+)/g)].map((match) => {
  const before = page.slice(0, match.index)
  const title = before
    .match(/^### .*/gm)!
    .at(-1)!
    .slice(4)
  const policy = named([...before.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!))
    .filter((name) => name !== undefined)
    .at(-1)!
  const rows = match[2]!
    .trim()
    .split('\n')
    .map(
      (line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()) as unknown as Row,
    )
  return { title, kind: match[1] === 'at' ? 'person' : 'clock', policy, rows }
})

const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, inside]) => inside!)
/** Day 1 is Monday, 23 November 2026; Amsterdam is an hour ahead of UTC all winter. */
function instantOf(when: string, last: number): number {
  const [, day = String(last), time] = /^(?:day (\d+), )?(\d\d:\d\d)$/.exec(when)!
  return Date.parse('2026-11-23T00:00:00+01:00') + (Number(day) - 1) * 86_400_000 + parseMinutes(time!) * 60_000
}
const parseMinutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

test('the page has a timeline for every time setting', () => {
  const text = timelines.map(({ title }) => title).join(' ')
  for (const setting of [
    'Default lifetime',
    '`within`',
    '`within: 0s`',
    '`remember_device`',
    '`session.idle`',
    '`session.max`',
  ])
    expect(text).toContain(setting)
  for (const setting of [
    '`session.ends`',
    '`session.age`',
    'over midnight',
    'go forward',
    'go back',
    '`frequency … within`',
  ])
    expect(text).toContain(setting)
  for (const setting of ['`frequency.absent`', '`travel.speed`', '`travel.distance`', '`travel.new_country`'])
    expect(text).toContain(setting)
  expect(timelines.flatMap(({ rows }) => rows).length).toBeGreaterThan(80)
  expect(load(files).problems).toEqual([])
})

const people = timelines.filter(({ kind }) => kind === 'person')
const clocks = timelines.filter(({ kind }) => kind === 'clock')

test.each(people)('$title ($policy)', async ({ policy, rows }) => {
  const visitor = await openVisitor(files)
  try {
    for (const [when, what, answer] of rows) {
      visitor.clock.at = instantOf(when, 1)
      const place = Object.keys(SITES).find((site) => what.includes(`in ${site}`))
      if (place) visitor.address = SITES[place as keyof typeof SITES]
      if (what.includes('signs out')) await visitor.signOut()
      const failures = Number(/after (\d) wrong password/.exec(what)?.[1] ?? 0)
      for (let i = 0; i < failures; i++) await visitor.fails()
      const opened = await visitor.open(quoted(what)[0] ?? policy, { ticks: what.includes('ticks') })
      expect(opened, `${when}: ${what}`).toEqual({
        asked: quoted(answer),
        end: answer.endsWith('lets in') ? 'in' : 'denied',
      })
    }
  } finally {
    await visitor.close()
  }
})

test.each(clocks)('$title ($policy)', ({ policy, rows }) => {
  const { policies } = load(files)
  for (const [instant, wall, answer] of rows) {
    const session = { authenticated: [{ factor: 'password', at: instant }] }
    const facts = { at: instant, user: { groups: ['staff'] }, session }
    const decision = decide(policies!, facts, { policy: quoted(wall)[0] ?? policy })
    expect(decision.outcome, `${instant} ${wall}`).toBe(answer === 'lets in' ? 'allow' : 'deny')
    expect(decision.trace[0]!.conditions[0]!.seen).toBe(wall.replace(/,.*/, ''))
  }
})

describe('what the page says beside its tables', () => {
  test('the default limits of a session', () => {
    expect(page).toContain('2 hours without use,\n12 hours in all')
    const folder = mkdtempSync(join(tmpdir(), 'portico-timelines-'))
    try {
      writeFileSync(join(folder, 'portico.yaml'), '{}\n')
      const { idle, max } = loadSettings(join(folder, 'portico.yaml'), {}).settings!.sessions
      expect({ idle: parseDuration(idle), max: parseDuration(max) }).toEqual(DEFAULTS)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('how long tokens live', () => {
    expect(page).toContain('Access tokens of people live an hour, those of programs ten minutes')
    expect([LIFETIMES.AccessToken, LIFETIMES.ClientCredentials].map((s) => s * 1000)).toEqual([
      parseDuration('1h'),
      parseDuration('10m'),
    ])
  })
})
