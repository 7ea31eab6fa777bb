/** Policies of which most was read before: only what changed is read again, and nobody can tell from what comes out. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type Facts, type Known, loadPolicies, type Policies, type PolicyFiles, readAhead } from '#policy'
import { policiesOf } from './house.ts'

const root = join(import.meta.dirname, '../../policies')
const SHIPPED = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(yaml|csv)$/.test(name))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')] as const),
)
const asFiles = (files: ReadonlyMap<string, string>): PolicyFiles => ({ label: 'policies', files })
const FACTS: readonly Facts[] = ['192.0.2.7', '198.51.100.9', '203.0.113.1'].map((ip, n) => ({
  at: '2026-11-23T09:00:00Z',
  user: { id: 'p', groups: ['staff', n === 0 ? 'store' : 'care'] },
  app: { id: 'crm', policy: 'store-apps', tags: n === 2 ? ['high-risk'] : ['store'] },
  network: { ip },
  session: { started: '2026-11-23T08:00:00Z', authenticated: [{ factor: 'password', at: '2026-11-23T08:00:00Z' }] },
}))

/** Everything of a load that anybody can see. */
function load(files: PolicyFiles, known?: Known) {
  const { policies, problems, files: read } = loadPolicies(files, known)
  return { known: policies?.known, seen: tell(policies, problems, read) }
}

function tell(policies: Policies | undefined, problems: readonly object[], read: PolicyFiles) {
  return {
    problems,
    read: [...read.files.keys()].sort(),
    version: policies?.version,
    mentions: policies?.mentions,
    zones: policies && [...policies.zones.values()].map(({ name, sample, ranges }) => [name, sample, ranges]),
    sites: policies && [...policies.sites.names],
    list: policies?.list.map(({ rules, ...policy }) => ({
      ...policy,
      rules: rules.map(({ name, line, column, mode, verdict, deny }) => ({ name, line, column, mode, verdict, deny })),
    })),
    decisions: policies && FACTS.map((facts) => decide(policies, facts)),
  }
}

/** What people do to files: a word more, a line less, a file under another name, the same text twice. */
const edit = fc.record({
  file: fc.constantFrom(...SHIPPED.keys()),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.constantFrom(0, 0, 1, 30),
  add: fc.constantFrom('', '\n', '# a word\n', ' x', '  - name: in a store or at head office\n', 'stores', ','),
  also: fc.constantFrom('none', 'none', 'copied', 'moved', 'gone'),
})

describe('loading with what was read before', () => {
  test('comes to the same as reading everything, after whatever was done to the files, sound or not', () => {
    let sound = 0
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const files = new Map(SHIPPED)
        let known = loadPolicies(asFiles(files)).policies!.known
        for (const { file, at, drop, add, also } of edits) {
          const text = files.get(file)
          if (text === undefined) continue
          const index = also === 'none' ? Math.floor(at * text.length) : 0
          files.set(file, text.slice(0, index) + add + text.slice(index + drop))
          if (also === 'copied') files.set(`copy-${file.replaceAll('/', '-')}`, text)
          if (also === 'moved') files.set(`deeper/${file}`, text)
          if (also === 'moved' || also === 'gone') files.delete(file)
          const all = asFiles(files)
          const again = load(all, known)
          expect(again.seen).toEqual(load(all).seen)
          if (again.known) sound++
          known = again.known ?? known
        }
      }),
      { numRuns: 50, seed: 20261130 },
    )
    expect(sound).toBeGreaterThan(15)
  }, 120_000)

  test('reads the file that changed, and none of the others', () => {
    const before = loadPolicies(asFiles(SHIPPED)).policies!.known
    const changed = new Map(SHIPPED).set('default.yaml', `${SHIPPED.get('default.yaml')}# later\n`)
    const after = loadPolicies(asFiles(changed), before).policies!.known
    const kept = [...after.documents].filter(([digest, document]) => before.documents.get(digest) === document)
    expect([after.documents.size, kept.length]).toEqual([before.documents.size, before.documents.size - 1])
    expect([...after.siteFiles]).toEqual([...before.siteFiles])
    expect([...after.siteFiles.values()].every((sites, n) => sites === [...before.siteFiles.values()][n])).toBe(true)
  })

  test('keeps what these policies were read from, and nothing of those before', () => {
    const before = loadPolicies(asFiles(SHIPPED)).policies!.known
    const fewer = new Map([...SHIPPED].filter(([name]) => name === 'default.yaml'))
    const { documents, siteFiles } = loadPolicies(asFiles(fewer), before).policies!.known
    expect([documents.size, siteFiles.size]).toEqual([1, 0])
  })
})

describe('reading ahead', () => {
  test('lets others have a turn after each file, and leaves nothing to be read', async () => {
    let turns = 0
    let over = false
    const turn = () => {
      turns++
      if (!over) setImmediate(turn)
    }
    setImmediate(turn)
    const known = await readAhead(asFiles(SHIPPED))
    over = true
    expect(turns).toBeGreaterThanOrEqual(SHIPPED.size)
    const loaded = loadPolicies(asFiles(SHIPPED), known).policies!.known
    expect([...loaded.documents].every(([digest, document]) => known.documents.get(digest) === document)).toBe(true)
    expect([...loaded.siteFiles].every(([digest, sites]) => known.siteFiles.get(digest) === sites)).toBe(true)
  })

  test('of files that are wrong throws nothing: loading tells what it is', async () => {
    const wrong = asFiles(
      new Map([
        ['a.yaml', 'policy: a\nruls: []\n'],
        ['n.yaml', 'networks: { s: { file: ../s.csv }, t: { file: t.csv }, u: { file: u.csv } }\n'],
        ['t.csv', 'nonsense\n'],
      ]),
    )
    const known = await readAhead(wrong)
    expect(load(wrong, known).seen).toEqual(load(wrong).seen)
    expect(
      loadPolicies(wrong, known)
        .problems.map(({ code }) => code)
        .sort(),
    ).toEqual(['file-outside', 'file-unreadable', 'missing', 'site-invalid', 'unknown-key'])
  })
})

test('a condition that several rules write alike is one, and what is wrong with it is told of each', () => {
  const when = (n: number) => ({
    any: [{ 'user.groups': ['staff'] }, { 'device.known': true }, { 'app.id': [`a${n}`] }],
  })
  const { list } = policiesOf([0, 1, 2].map((n) => ({ name: `r${n}`, when: when(n), allow: {} })))
  const text = JSON.stringify(list[0]!.rules.map(({ draft }) => draft))
  expect(text.match(/"staff"/g)).toHaveLength(6)
  const leaves = list[0]!.rules.flatMap(({ draft }) => leavesIn(draft))
  expect([leaves.length, new Set(leaves).size]).toEqual([9, 5])

  const wrong = '{ device.known: { is: true, unknown: maybe } }'
  const lost = '{ network: [nowhere] }'
  const files = new Map([
    [
      'p.yaml',
      `policy: p\nrules:\n${[wrong, wrong, lost, lost].map((one, n) => `  - { name: r${n}, when: ${one}, allow: {} }\n`).join('')}`,
    ],
  ])
  expect(loadPolicies(asFiles(files)).problems.map(({ code, line }) => `${line} ${code}`)).toEqual([
    '3 invalid',
    '4 invalid',
    '5 unknown-network',
    '6 unknown-network',
  ])
})

function leavesIn(draft: unknown): unknown[] {
  const one = draft as { join: string; parts?: unknown[]; part?: unknown }
  if (one.join === 'condition') return [one]
  return (one.parts ?? [one.part]).flatMap(leavesIn)
}
