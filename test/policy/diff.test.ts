import { expect, test } from 'vitest'
import { diffPolicies, loadPolicies } from '#policy'
import { inFolder } from './house.ts'

type Files = Readonly<Record<string, unknown>>

const filesOf = (files: Files, label: string) =>
  inFolder(files, (dir) => {
    const { files: read, problems } = loadPolicies(dir)
    expect(problems).toEqual([])
    return { ...read, label }
  })
const diff = (before: Files, after: Files) => diffPolicies(filesOf(before, 'old'), filesOf(after, 'new'))

const rule = (name: string, more: object = { allow: {} }) => ({ name, ...more })
const policy = (rules: unknown[], more: object = {}) => ({ 'p.yaml': { policy: 'p', rules, ...more } })

test('the same files differ in nothing, nor do tests, comments and spelling', () => {
  const files = policy([rule('a'), rule('b')])
  expect(diff(files, files)).toEqual([])
  const written =
    'policy: p # of the store\nrules:\n  - name: a\n    allow: {}\n  - { name: b, allow: { } }\ntests: []\n'
  expect(diff(files, { 'p.yaml': written })).toEqual([])
})

test('rules that came, went and changed, each with its line and what changed in it', () => {
  const text = (within: string, last: string) => `policy: p
rules:
  - name: staff
    when: { user.groups: [staff] }
    allow: { strength: two-factors, within: ${within}, session: { idle: 15m } }
  - { name: ${last}, deny: { say: No. } }
`
  expect(diff({ 'p.yaml': text('12h', 'gone') }, { 'p.yaml': text('4h', 'came') })).toEqual([
    {
      change: 'changed',
      of: 'rule',
      policy: 'p',
      name: 'staff',
      line: 'new/p.yaml:3',
      details: [{ path: 'allow.within', before: '12h', after: '4h' }],
    },
    { change: 'added', of: 'rule', policy: 'p', name: 'came', line: 'new/p.yaml:6', details: [] },
    { change: 'removed', of: 'rule', policy: 'p', name: 'gone', line: 'old/p.yaml:6', details: [] },
  ])
})

test('a rule at another place was moved, and no more rules than had to be', () => {
  const [before, after] = [
    ['a', 'b', 'c', 'd', 'e'],
    ['e', 'a', 'b', 'c', 'd'],
  ].map((names) => policy(names.map((name) => rule(name))))
  expect(diff(before!, after!)).toMatchObject([
    { change: 'moved', name: 'e', details: [{ path: 'place', before: 5, after: 1 }] },
  ])
  // what was added before it moves nothing
  expect(diff(before!, policy(['new', 'a', 'b', 'c', 'd', 'e'].map((name) => rule(name))))).toMatchObject([
    { change: 'added', name: 'new' },
  ])
})

test('a condition, a mode, an end of the day: as they are written', () => {
  const ends = (at: string) => ({ session: { ends: { at, zone: 'Europe/Amsterdam' } } })
  const details = diff(
    policy([rule('a', { when: { 'user.groups': ['staff'] }, allow: ends('22:00') })]),
    policy([rule('a', { when: { 'user.groups': ['staff', 'care'] }, mode: 'report', allow: ends('23:00') })]),
  )[0]!.details
  expect(details).toEqual([
    { path: 'when.user.groups', before: ['staff'], after: ['staff', 'care'] },
    { path: 'allow.session.ends', before: '22:00 Europe/Amsterdam', after: '23:00 Europe/Amsterdam' },
    { path: 'mode', before: 'enforce', after: 'report' },
  ])
})

test('what a rule says about tokens', () => {
  const of = (allow: object) => policy([rule('a', { allow })])
  const before = { scopes: ['orders:read', 'orders:write'], token: { max: '10m' } }
  expect(diff(of(before), of({ scopes: ['orders:read'], token: { max: '5m' } }))[0]!.details).toEqual([
    { path: 'allow.scopes', before: ['orders:read', 'orders:write'], after: ['orders:read'] },
    { path: 'allow.token.max', before: '10m', after: '5m' },
  ])
  expect(diff(of({}), of({ scopes: [] }))[0]!.details).toEqual([{ path: 'allow.scopes', after: [] }])
})

test('networks, strengths and whole policies, for they decide as well', () => {
  const p = policy([rule('a')])
  const sites = (text: string) => ({ ...p, 'n/n.yaml': 'networks: { stores: { file: s.csv } }\n', 'n/s.csv': text })
  expect(
    diff(sites('10.0.0.0/24,1\n10.0.1.0/24,2\n'), sites('10.0.0.0/24,1\n10.0.2.0/24,2\n10.0.3.0/24,3\n')),
  ).toMatchObject([
    {
      of: 'network',
      name: 'stores',
      line: 'new/n/n.yaml:1',
      details: [
        { path: 'sites.removed', before: 1 },
        { path: 'sites.added', after: 2 },
      ],
    },
  ])
  const strength = (...list: string[][]) => ({ ...p, 's.yaml': { strengths: { floor: list } } })
  expect(diff(strength(['password']), strength(['password'], ['passkey']))).toMatchObject([
    { change: 'changed', of: 'strength', name: 'floor', details: [{ path: 'combinations' }] },
  ])
  const other = { ...p, 'q.yaml': { policy: 'q', baseline: true, rules: [rule('x')] } }
  expect(diff(p, other)).toMatchObject([{ change: 'added', of: 'policy', name: 'q', line: 'new/q.yaml:1' }])
  expect(diff(other, p)).toMatchObject([{ change: 'removed', of: 'policy', name: 'q', line: 'old/q.yaml:1' }])
  expect(diff(p, policy([rule('a')], { baseline: true, owner: 'me' }))).toMatchObject([
    {
      change: 'changed',
      of: 'policy',
      details: [
        { path: 'baseline', before: false, after: true },
        { path: 'owner', after: 'me' },
      ],
    },
  ])
})
