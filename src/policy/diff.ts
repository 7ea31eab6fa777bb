/** What is different between two sets of policies, rule by rule, as their files write it. */
import type { PolicyFiles } from './folder.ts'
import { type Reading, readDocument } from './reading.ts'

export interface Detail {
  /** `allow.within`, `when.user.groups`, `place` of a rule in its policy. */
  readonly path: string
  /** Undefined: was not there. */
  readonly before?: unknown
  /** Undefined: is not there any more. */
  readonly after?: unknown
}

export interface PolicyChange {
  readonly change: 'added' | 'removed' | 'changed' | 'moved'
  readonly of: 'policy' | 'rule' | 'network' | 'strength'
  /** Of a rule. */
  readonly policy?: string
  readonly name: string
  /** Where it stands; of something removed, where it stood. */
  readonly line: string
  readonly details: readonly Detail[]
}

/** One thing with a name. */
interface Item {
  readonly name: string
  readonly line: string
  readonly value: Record<string, unknown>
  readonly rules?: readonly Item[]
}

type Kind = 'networks' | 'strengths' | 'policies'
const WORDS = { networks: 'network', strengths: 'strength', policies: 'policy' } as const

/** Both must be files that `loadPolicies` takes. In the order: networks, strengths, policies; removed things last. */
export function diffPolicies(before: PolicyFiles, after: PolicyFiles): PolicyChange[] {
  const [old, now] = [itemsOf(before), itemsOf(after)]
  return (Object.keys(WORDS) as Kind[]).flatMap((kind) =>
    compare(old[kind], now[kind], (item) => ({ of: WORDS[kind], name: item.name })),
  )
}

function itemsOf({ label, files }: PolicyFiles): Record<Kind, Item[]> {
  const found: Record<Kind, Item[]> = { networks: [], strengths: [], policies: [] }
  for (const [name, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.endsWith('.yaml')) continue
    const reading = readDocument(`${label}/${name}`, text)
    const at = (path: readonly (string | number)[]) => `${reading.file}:${reading.position(path).line}`
    for (const [zone, value] of Object.entries(reading.networks?.networks ?? {})) {
      const sites =
        value.file === undefined ? undefined : files.get([...name.split('/').slice(0, -1), value.file].join('/'))
      const written = { ...value, ...(sites === undefined ? {} : { sites: linesOf(sites) }) }
      found.networks.push({ name: zone, line: at(['networks', zone]), value: written })
    }
    for (const [strength, combinations] of Object.entries(reading.strengths?.strengths ?? {}))
      found.strengths.push({ name: strength, line: at(['strengths', strength]), value: { combinations } })
    if (reading.policy) found.policies.push(policyItem(reading, reading.policy))
  }
  return found
}

function policyItem(
  { file, sound }: Reading,
  { policy, rules, tests: _, ...rest }: NonNullable<Reading['policy']>,
): Item {
  const { places } = sound!
  return {
    name: policy,
    line: `${file}:${places.policy.line}`,
    value: { ...rest, file: file.split('/').at(-1) },
    rules: rules.map(({ name, ...rule }, index) => ({
      name,
      line: `${file}:${places.rules[index]!.line}`,
      value: rule,
    })),
  }
}

function compare(
  before: readonly Item[],
  after: readonly Item[],
  about: (item: Item) => Pick<PolicyChange, 'of' | 'policy' | 'name'>,
): PolicyChange[] {
  const [old, now] = [new Map(before.map((one) => [one.name, one])), new Map(after.map((one) => [one.name, one]))]
  const changes: PolicyChange[] = []
  for (const item of after) {
    const was = old.get(item.name)
    const details = was ? detailsOf(was.value, item.value) : []
    if (!was) changes.push({ change: 'added', ...about(item), line: item.line, details: [] })
    else if (details.length > 0) changes.push({ change: 'changed', ...about(item), line: item.line, details })
    if (was && item.rules) changes.push(...compareRules(item.name, was.rules!, item.rules))
  }
  for (const item of before)
    if (!now.has(item.name)) changes.push({ change: 'removed', ...about(item), line: item.line, details: [] })
  return changes
}

/** The order of rules decides, so a rule that stays as it is and comes at another place is a change as well. */
function compareRules(policy: string, before: readonly Item[], after: readonly Item[]): PolicyChange[] {
  const about = ({ name }: Item) => ({ of: 'rule' as const, policy, name })
  const [old, now] = [before, after].map((list) => new Map(list.map(({ name }, place) => [name, place])))
  const common = after.filter(({ name }) => old!.has(name))
  const stay = longestInOrder(common.map(({ name }) => old!.get(name)!))
  const moved = common
    .filter((_, place) => !stay.has(place))
    .map((item): PolicyChange => {
      const place = (list: ReadonlyMap<string, number>) => list.get(item.name)! + 1
      return {
        change: 'moved',
        ...about(item),
        line: item.line,
        details: [{ path: 'place', before: place(old!), after: place(now!) }],
      }
    })
  return [...compare(before, after, about), ...moved]
}

/** The places of a longest run of growing numbers: what is not in it was moved, and no fewer could have been. */
function longestInOrder(numbers: readonly number[]): ReadonlySet<number> {
  const ends: number[] = []
  const earlier: number[] = []
  for (const [place, number] of numbers.entries()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (numbers[ends[middle]!]! < number) low = middle + 1
      else high = middle
    }
    earlier[place] = low > 0 ? ends[low - 1]! : -1
    ends[low] = place
  }
  const found = new Set<number>()
  for (let place = ends.at(-1) ?? -1; place >= 0; place = earlier[place]!) found.add(place)
  return found
}

function detailsOf(before: unknown, after: unknown, path = ''): Detail[] {
  const [old, now] = [plain(before), plain(after)]
  if (isRecord(old) && isRecord(now)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])]
    return keys.flatMap((key) => detailsOf(old[key], now[key], path === '' ? key : `${path}.${key}`))
  }
  if (path === 'sites' && Array.isArray(old) && Array.isArray(now)) return sitesOf(old, now)
  return JSON.stringify(old) === JSON.stringify(now)
    ? []
    : [{ path, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }]
}

/** Of thousands of sites only how many lines came and went. */
function sitesOf(before: readonly string[], after: readonly string[]): Detail[] {
  const [old, now] = [new Set(before), new Set(after)]
  const [removed, added] = [[...old].filter((line) => !now.has(line)), [...now].filter((line) => !old.has(line))]
  const rows = [
    { path: 'sites.removed', before: removed.length },
    { path: 'sites.added', after: added.length },
  ]
  return rows.filter((row) => (row.before ?? row.after) !== 0)
}

/** What was read as a length of time, or as an end of the day, as it was written. */
const plain = (value: unknown): unknown =>
  isRecord(value) && typeof value['text'] === 'string' && ('ms' in value || 'minute' in value) ? value['text'] : value

const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '')

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
