/** The changes that could be made to these facts, in order of preference: from the list of `CHANGES` and what rules name. */
import { givable, OWN_FACTORS } from '../factors.ts'
import type { Facts } from '../facts.ts'
import { instant } from '../instants.ts'
import type { Policies } from '../policies.ts'
import { createScene, isInside } from '../scene.ts'
import { type Leaf, leavesOf } from '../when.ts'
import { addressIn, type Change } from './change.ts'

export interface Asking {
  /** As for `decide`; else the app's. */
  readonly policy?: string
  /** Factors that the person has: they come first. */
  readonly enrolled?: readonly string[]
}

export function candidates(policies: Policies, facts: Facts, { policy, enrolled = [] }: Asking = {}): Change[] {
  const rules = [policies.find(policy ?? facts.app?.policy ?? ''), policies.baseline].flatMap((one) => one?.rules ?? [])
  const leaves = rules.filter(({ mode }) => mode === 'enforce').flatMap(({ draft }) => leavesOf(draft))
  const person = createScene(facts, policies.sites).subject === 'person'
  return [
    ...(person ? factorChanges(facts, enrolled) : []),
    ...deviceChanges(facts, leaves),
    ...networkChanges(policies, facts, leaves),
    ...wordsOf(leaves, 'device.platform')
      .filter((platform) => facts.device?.platform !== platform)
      .map((platform): Change => ({ code: 'use-platform', platform })),
    ...(person && facts.session?.started !== undefined ? [{ code: 'sign-in-again' } as const] : []),
    ...timeChanges(policies, facts, leaves),
    ...(person ? groupChanges(facts, leaves) : []),
  ]
}

/** A key that cannot be copied is one thing more to have, so it comes last. */
function factorChanges({ session }: Facts, enrolled: readonly string[]): Change[] {
  const given = new Set(session?.authenticated?.map(({ factor }) => factor))
  const names = OWN_FACTORS.filter(givable).sort((a, b) => +enrolled.includes(b) - +enrolled.includes(a))
  const again = names.filter((factor) => given.has(factor))
  return [
    ...again.map((factor): Change => ({ code: 'give-again', factor })),
    ...names.filter((factor) => !given.has(factor)).map((factor): Change => ({ code: 'give-factor', factor })),
    { code: given.has('passkey') ? 'give-again' : 'give-factor', factor: 'passkey', hardware: true },
  ]
}

function deviceChanges({ device }: Facts, leaves: readonly Leaf[]): Change[] {
  const changes: Change[] = device?.known === true ? [] : [{ code: 'use-known-device' }]
  if (device?.enrolled !== true) changes.push({ code: 'use-enrolled-device' })
  for (const kind of new Set(wordsOf(leaves, 'device.kind') as ('personal' | 'shared')[]))
    if (device?.kind !== kind) changes.push({ code: 'use-enrolled-device', kind })
  for (const site of wordsOf(leaves, 'device.site'))
    if (device?.site !== site) changes.push({ code: 'use-enrolled-device', site })
  return changes
}

function networkChanges(policies: Policies, facts: Facts, leaves: readonly Leaf[]): Change[] {
  const scene = createScene(facts, policies.sites)
  const inside = (name: string) => isInside(scene, policies.zones.get(name)!) === true
  const named = namesOf(leaves, 'network')
  const others = named.filter((name) => !inside(name) && addressIn(policies, name) !== undefined)
  return [
    ...others.map((name): Change => ({ code: 'use-network', networks: [name] })),
    ...(named.some(inside) && addressIn(policies, '') ? [{ code: 'leave-network' } as const] : []),
  ]
}

function timeChanges({ sites }: Policies, facts: Facts, leaves: readonly Leaf[]): Change[] {
  const at = instant(facts.at)
  if (at === undefined) return []
  const turns = new Set(
    leaves.flatMap(({ condition, wanted }) => condition.turns?.(wanted, at, createScene(facts, sites)) ?? []),
  )
  return [...turns]
    .sort((a, b) => a - b)
    .map((turn): Change => ({ code: 'come-back-later', time: new Date(turn).toISOString() }))
}

/** Where the groups are not known, one more does not make them known. */
function groupChanges({ user, app }: Facts, leaves: readonly Leaf[]): Change[] {
  const { groups } = user ?? {}
  if (!groups) return []
  const named = [...(app?.audience ?? []), ...namesOf(leaves, 'group')].filter((group) => group !== '*')
  return [...new Set(named)]
    .filter((group) => !groups.includes(group))
    .map((group): Change => ({ code: 'ask-group', groups: [group] }))
}

/** What the conditions refer to. */
const namesOf = (leaves: readonly Leaf[], to: string): string[] => [
  ...new Set(
    leaves.flatMap(({ condition, wanted }) =>
      (condition.refers?.(wanted) ?? []).filter((reference) => reference.to === to).map(({ name }) => name),
    ),
  ),
]

/** The words of a condition that lists them. */
const wordsOf = (leaves: readonly Leaf[], name: string): string[] => [
  ...new Set(leaves.filter(({ written }) => written === name).flatMap(({ wanted }) => wanted as string[])),
]
