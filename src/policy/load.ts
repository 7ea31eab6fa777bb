/** Reads a policy folder. A folder with any problem gives no policies at all, so the old ones stay in force. */
import type { Problem } from '#config'
import { nearest } from '#core/nearest'
import { type Complaints, createComplaints } from './complaints.ts'
import { UNWRITTEN } from './decision.ts'
import type { PolicyDocument } from './documents.ts'
import { listFiles, type PolicyFiles, type PolicyFolder } from './folder.ts'
import type { Mention, Policies, Policy, Rule } from './policies.ts'
import { createReader, type Known, NOTHING_KNOWN, siteFileName } from './reader.ts'
import type { Place, Reading, Sound } from './reading.ts'
import { joinNeeds, type Need, type Needs } from './signals.ts'
import type { SiteFile } from './site-file.ts'
import { createSites, type SiteRow } from './sites.ts'
import { BUILT_IN_NAMES, createStrengths, MOST_CUSTOM } from './strengths.ts'
import type { Verdict } from './terms.ts'
import { createTokenLimits } from './tokens.ts'
import { type Names, needsOf, type Path, prepareLeaves, prepareWhen } from './when.ts'
import { createCountryZone, createZone, parseRange, type Range, type Zone } from './zones.ts'

/**
 * Every `*.yaml` below `dir`, sorted by path. All problems at once, in the order of files and lines; never throws for
 * what a person wrote. `policies` is absent when there is any problem. `files` is everything that was read, whole or not.
 * What is in `known` with the same bytes is not read again; nothing else differs.
 */
export function loadPolicies(
  dir: PolicyFolder,
  known: Known = NOTHING_KNOWN,
): {
  policies?: Policies
  problems: Problem[]
  files: PolicyFiles
} {
  const { files, label, root, problems } = listFiles(dir)
  const complaints = createComplaints()
  const reader = createReader(root, label, known)
  const readings: Reading[] = []
  const siteRows: SiteRow[] = []
  for (const name of files) {
    const read = reader.document(name)
    if ('problems' in read) readings.push(read)
    else problems.push(read.problem)
  }
  const siteFile = (written: string, reading: Reading, path: Path): SiteFile | undefined => {
    const name = siteFileName(reading.file.slice(label.length + 1), written)
    if (name === undefined)
      return void problems.push(reading.problem(path, 'file-outside', 'must name a file in the policy folder'))
    const read = reader.siteFile(name)
    if (!('problems' in read)) {
      const message = `names \`${written.slice(0, 200)}\`: ${read.problem.message}`
      return void problems.push(reading.problem(path, 'file-unreadable', message))
    }
    for (const problem of read.problems) problems.push(problem)
    for (const row of read.sites?.rows ?? []) siteRows.push(row)
    return read.sites
  }
  // one by one: there may be more than a call takes
  for (const reading of readings) for (const problem of reading.problems) problems.push(problem)
  const zones = new Map<string, Zone>()
  const combinations = new Map<string, string[][]>()
  for (const reading of readings) {
    for (const [name, { file, ranges, countries }] of Object.entries(reading.networks?.networks ?? {})) {
      const sites = file === undefined ? undefined : siteFile(file, reading, ['networks', name, 'file'])
      if (sites) zones.set(name, createZone(name, sites.ranges, sites.contains))
      else if (ranges) zones.set(name, createZone(name, ranges.map(parseRange) as Range[]))
      else if (countries) zones.set(name, createCountryZone(name, countries))
    }
    for (const [name, lists] of Object.entries(reading.strengths?.strengths ?? {})) {
      if (combinations.size < MOST_CUSTOM || combinations.has(name)) combinations.set(name, lists)
      else
        complaints.add(
          reading,
          ['strengths', name],
          'too-many-strengths',
          () => `is one too many; at most ${MOST_CUSTOM} may be added`,
        )
    }
  }
  checkNames(readings, complaints)
  for (const problem of complaints.problems) problems.push(problem)
  if (problems.length > 0) return { problems: sorted(problems), files: { label, files: reader.texts } }

  const strengths = createStrengths(combinations)
  const list = readings.flatMap(({ file, sound }) =>
    sound?.policy ? [compile(file, sound, sound.policy, { zones, strengths })] : [],
  )
  const byName = new Map(list.map((policy) => [policy.name, policy]))
  const baseline = list.find((policy) => policy.baseline)
  const judged = new Map(
    list.map(({ name, needs }) => [name, joinNeeds([...needs, ...(baseline?.needs ?? [])])] as const),
  )
  const policies: Policies = Object.freeze({
    folder: label,
    version: reader.version(),
    list,
    names: list.map((policy) => policy.name),
    find: (name: string) => byName.get(name),
    strengths: strengths.names,
    strengthTable: strengths,
    zones,
    mentions: readings.flatMap(({ file, sound }) => sound!.mentions.map((one): Mention => ({ ...one, file }))),
    sites: createSites(siteRows),
    needs: joinNeeds(list.flatMap((policy) => [...policy.needs])),
    needsOf: (name: string | undefined) => judged.get(name ?? '') ?? NOTHING,
    tokenLimitsOf: createTokenLimits(list, baseline),
    known: reader.known,
    ...(baseline && { baseline }),
  })
  return { policies, problems, files: { label, files: reader.texts } }
}

/** Names that are given twice, and names that nothing has. */
function checkNames(readings: readonly Reading[], complaints: Complaints): void {
  const names = {
    networks: new Map<string, Reading>(),
    strengths: new Map<string, Reading>(),
    policy: new Map<string, Reading>(),
  }
  for (const reading of readings) {
    if (!reading.kind) continue
    for (const name of reading.names) {
      const path = reading.kind === 'policy' ? ['policy'] : [reading.kind, name]
      const earlier = names[reading.kind].get(name)
      if (earlier) complaints.add(reading, path, 'duplicate-name', () => `\`${name}\` is given in ${earlier.file} too`)
      else names[reading.kind].set(name, reading)
      if (reading.kind === 'strengths' && BUILT_IN_NAMES.includes(name))
        complaints.add(reading, path, 'reserved-name', () => `\`${name}\` is built in`)
    }
  }
  const known = { network: [...names.networks.keys()], strength: [...BUILT_IN_NAMES, ...names.strengths.keys()] }
  const sets = { network: new Set(known.network), strength: new Set(known.strength) }
  for (const reading of readings) {
    for (const { to, name, path } of reading.references) {
      if (to === 'group' || to === 'app' || sets[to].has(name)) continue
      complaints.add(reading, path, `unknown-${to}`, () => {
        const near = nearest(name, known[to])
        return `\`${path.join('.')}\` names \`${name.slice(0, 100)}\`, which is no ${to}${near ? `; did you mean \`${near}\`?` : ''}`
      })
    }
  }
  checkPolicies(readings, complaints)
}

function checkPolicies(readings: readonly Reading[], complaints: Complaints): void {
  const policies = readings.filter((reading) => reading.policy)
  const baselines = policies.filter((reading) => reading.policy!.baseline)
  for (const second of baselines.slice(1)) {
    complaints.add(second, ['baseline'], 'second-baseline', () => `${baselines[0]!.file} is the baseline already`)
  }
  const common = baselines[0]?.policy?.rules ?? []
  for (const reading of policies) {
    const rules = new Set([...[...reading.policy!.rules, ...common].map((rule) => rule.name), ...UNWRITTEN])
    for (const [index, { expect }] of reading.policy!.tests.entries()) {
      for (const name of [expect.rule, ...(expect.reported ?? [])]) {
        if (typeof name !== 'string' || rules.has(name)) continue
        const path = ['tests', index, 'expect']
        complaints.add(reading, [...path, 'rule'], 'unknown-rule', () => {
          const near = nearest(name, rules)
          return `\`${path.join('.')}\` names \`${name.slice(0, 100)}\`, which is no rule of this policy${near ? `; did you mean \`${near}\`?` : ''}`
        })
      }
    }
  }
}

const NOTHING: Needs = new Map()

function compile(file: string, { drafts, places }: Sound, document: PolicyDocument, names: Names): Policy {
  const { strengths } = names
  const at = ({ line, column }: Place) => ({ line: `${file}:${line}`, column })
  const prepared = prepareLeaves(drafts, names)
  const rules = document.rules.map((rule, index): Rule => {
    const draft = drafts[index]
    const { strength = 'any', within, remember_device: remember, session, scopes, token } = rule.allow ?? {}
    const verdict: Verdict = rule.deny
      ? 'deny'
      : {
          strengths: strengths.find(strength)!.bit,
          ends: session?.ends ? [session.ends] : [],
          ...(within && (within.ms > 0 ? { within } : { fresh: true as const })),
          ...(remember && { remember }),
          ...(session?.idle && { idle: session.idle }),
          ...(session?.max && { max: session.max }),
          ...(scopes && { scopes: [...new Set(scopes)].sort() }),
          ...(token?.max && { token: token.max }),
        }
    return Object.freeze({
      name: rule.name,
      ...at(places.rules[index]!),
      mode: rule.mode,
      verdict,
      ...(draft && { when: prepareWhen(draft, names, prepared), draft }),
      ...(rule.deny && {
        deny: { ...(rule.deny.say && { say: rule.deny.say }), ...(rule.deny.do && { do: rule.deny.do }) },
      }),
    })
  })
  const needs = drafts.flatMap((draft, index) => {
    const enforced = document.rules[index]!.mode === 'enforce'
    // nothing is remembered on a shared device, so that rule asks for its kind as well
    const own: readonly Need[] = document.rules[index]!.allow?.remember_device ? [{ signal: 'enrolment' }] : []
    return [...own, ...(draft ? needsOf(draft, names) : [])].map(({ signal, within }: Need) => {
      return [signal, { windows: within ? [within] : [], enforced }] as const
    })
  })
  return Object.freeze({
    name: document.policy,
    ...at(places.policy),
    baseline: document.baseline,
    needs: joinNeeds(needs),
    rules,
    tests: document.tests.map(({ name, given, expect }, index) => ({
      name,
      given,
      expect,
      line: at(places.tests[index]!).line,
    })),
    ...(document.title && { title: document.title }),
    ...(document.owner && { owner: document.owner }),
  })
}

const sorted = (problems: Problem[]) =>
  problems.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column))
