/** The reasons of a decision, as the person reads them at `/why/{reference}`. */
import { expect, test } from 'vitest'
import { LANGUAGES, messagesFor, type ReasonCode, reasonSentence } from '#pages'
import { type Decision, decide, type Facts } from '#policy'
import { reasonsFor } from '#signin'
import { given, policiesOf } from '../policy/house.ts'

const OUTSIDE = { network: { outside: ['stores'] } }
const AT_HOME: Facts = { ...given(['password', 5]), network: { ip: '198.51.100.7' } }
const { network: _, ...NOWHERE } = AT_HOME
const open = { name: 'open', allow: {} }
const closed = { name: 'closed', when: OUTSIDE, deny: { say: 'Never at home.' } }

const decided = (rules: object[], facts: Facts): Decision => decide(policiesOf(rules), facts, { policy: 'p' })
function reasonsOf(decision: Decision, facts: Facts, language: (typeof LANGUAGES)[number] = 'en') {
  const messages = messagesFor(language)
  const reasons = reasonsFor({ decision, outcome: decision.outcome, facts }, 'Till', messages)
  return reasons.map(({ code, values }) => [code, reasonSentence(messages, code, values)] as const)
}
const told = (rules: object[], facts: Facts) => reasonsOf(decided(rules, facts), facts).map(([, sentence]) => sentence)

const nested = {
  ...closed,
  when: { any: [{ 'user.groups': ['nobody'] }, { all: [OUTSIDE, { 'device.known': false }] }] },
}
const two = { name: 'two', allow: { strength: 'two-factors' } }
const wanting = (wanted: object): Facts => ({ ...AT_HOME, request: { kind: 'app', started: AT_HOME.at, wanted } })
const outage = { until: Number(AT_HOME.at) + 1000, tiers: [] }

const CASES: [what: string, rules: object[], facts: Facts, ...said: string[]][] = [
  [
    'a rule',
    [closed, open],
    AT_HOME,
    'The rule “closed” keeps this closed here.',
    'This counted: the network you are on.',
  ],
  [
    'several conditions, each kind once',
    [{ ...closed, when: { ...OUTSIDE, 'device.kind': 'personal', 'device.platform': 'ios' } }, open],
    { ...AT_HOME, device: { kind: 'personal', platform: 'ios' } },
    'The rule “closed” keeps this closed here.',
    'This counted: the network you are on.',
    'This counted: the device you use.',
  ],
  [
    'a rule that may match',
    [closed, open],
    NOWHERE,
    'The rule “closed” keeps this closed here.',
    'This could not be found out: the network you are on. To be safe, the stricter answer counts.',
  ],
  [
    'what is unknown deep inside',
    [nested, open],
    { ...NOWHERE, device: { known: false } },
    'The rule “closed” keeps this closed here.',
    'This could not be found out: the network you are on. To be safe, the stricter answer counts.',
  ],
  [
    'more is asked because something is unknown',
    [{ ...two, when: OUTSIDE }, open],
    NOWHERE,
    'Till asks for more: two different ways to confirm that it is you.',
    'This could not be found out: the network you are on. To be safe, the stricter answer counts.',
  ],
  [
    'no rule, and one that may have let them in',
    [{ ...open, when: OUTSIDE }],
    NOWHERE,
    'No rule lets you in.',
    'This could not be found out: the network you are on. To be safe, the stricter answer counts.',
  ],
  ['no rule', [{ ...open, when: { 'user.groups': ['none'] } }], AT_HOME, 'No rule lets you in.'],
  [
    'what a rule that only reports does not know',
    [{ ...closed, mode: 'report' }, two],
    NOWHERE,
    'Till asks for more: two different ways to confirm that it is you.',
  ],
  [
    'the app itself',
    [open],
    wanting({ strength: ['two-factors'] }),
    'Till itself asked for more: two different ways to confirm that it is you.',
  ],
  [
    'the policy, though the app wants something too',
    [two],
    wanting({ max_age: 600 }),
    'Till asked that you confirm again.',
    'Till asks for more: two different ways to confirm that it is you.',
  ],
  [
    'too old',
    [{ name: 'now', allow: { within: '1m' } }],
    AT_HOME,
    'Till asks for a fresh confirmation, and your last one was too old (limit: 1 minute).',
  ],
  ['not for them', [open], { ...AT_HOME, app: { audience: ['care'] } }, 'Till is not meant for any of your groups.'],
  [
    'perhaps not for them',
    [open],
    { ...AT_HOME, user: {}, app: { audience: ['care'] } },
    'Till is not meant for any of your groups.',
    'This could not be found out: the groups you belong to. To be safe, the stricter answer counts.',
  ],
  [
    'their directory',
    [open],
    { ...AT_HOME, user: { ...AT_HOME.user, outage } },
    'The directory that knows you cannot be reached right now. Till opens again when it is back.',
  ],
  [
    'an error',
    [{ ...closed, when: { 'user.groups': ['a'] } }, open],
    { ...AT_HOME, user: { groups: 7 } } as unknown as Facts,
    'Something went wrong while deciding, and then nothing opens.',
  ],
  ['a yes', [open], AT_HOME, 'The rule “open” lets you in.', 'What you had already confirmed was enough.'],
  ['nobody', [open], { request: { kind: 'app' } }, 'You were not signed in yet.'],
]

test.each(CASES)('%s', (_what, rules, facts, ...said) => {
  expect(told(rules, facts)).toEqual(said)
})

test.each(LANGUAGES)(
  'each code of the table comes up, with a sentence in %s that has every place filled and names no address',
  (language) => {
    const reached = new Map(CASES.flatMap(([, rules, facts]) => reasonsOf(decided(rules, facts), facts, language)))
    const { reasons } = messagesFor(language)
    // the page that refuses says this one, about what it offers
    const own: ReasonCode[] = ['cannot-be-met']
    expect([...reached.keys(), ...own].sort()).toEqual(Object.keys(reasons).sort())
    for (const sentence of reached.values()) expect(sentence).not.toMatch(/[{}]|undefined|198\.51|Never at home/)
  },
)
