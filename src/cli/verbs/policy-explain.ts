/** `policy explain`: the verdict with its whole trace, for people or as JSON. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gatherFacts } from '#access'
import { formatProblem } from '#config'
import { openPlaces } from '#context'
import { silentLog } from '#core/log'
import { decide, type Facts, type Policies, readFacts, suggest } from '#policy'
import type { EnrolledDevice } from '#sessions'
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { failureLines, shownFailure } from './app-failures.ts'
import { factorsOf } from './person-factors.ts'
import { policiesInForce } from './policy-folder.ts'
import { decisionLines, type Explained } from './policy-lines.ts'
import { type Deciding, decidedLine, decidingFor, type FindReceipt, helpNow, storedLines } from './stored-decision.ts'

const LOGGED =
  'a reference that begins with E- is of an error page and has no receipt, and no app has failed under this one: look for it in the log, as `request`'
const PLACES = ['user', 'app', 'ip', 'device', 'at'] as const
const NOTHING_LEFT =
  'what decided it is not stored, and the policies in force cannot be read: there is nothing to decide it by'
const OUTCOMES = ['allow', 'deny', 'challenge']

export function explainVerb(
  readPolicies: (args: Arguments, context: Context) => Policies | undefined,
  findReceipt: FindReceipt,
): Verb {
  return {
    words: ['policy', 'explain'],
    usage: `policy explain [--user U] [--app ID] [--ip A] [--device ID] [--at TIME] | --facts FILE | --receipt REF [--policy NAME] [--policies DIR] [--assert allow|deny|challenge]`,
    summary: 'what the policies say, and why; --facts takes one object or an array of them as JSON',
    options: [...PLACES, 'facts', 'policy', 'policies', 'assert', 'receipt'],
    async run(args, context) {
      const wrong = checkFlags(args)
      if (wrong) {
        context.err(wrong)
        return 2
      }
      const reference = args.flag('receipt')
      const receipt = reference === undefined ? undefined : await findReceipt(await context.open(), reference)
      if (reference !== undefined && !receipt) {
        const failure = await (await context.open()).diagnosis.byReference(reference)
        if (failure) {
          context.print({ failure: shownFailure(failure) }, () => failureLines(failure, failure.app))
          return 0
        }
        context.err(/^e-/i.test(reference) ? LOGGED : 'there is no receipt with this reference')
        return 2
      }
      if (receipt && !receipt.facts) {
        context.print({ receipt, decision: null }, () => [decidedLine(receipt), 'what was known then is gone'])
        return 1
      }
      const candidate = args.flag('policies') !== undefined
      const inForce = async () =>
        (candidate ? undefined : await policiesInForce(context)) ?? readPolicies(args, context)
      const deciding: Deciding =
        receipt && !candidate
          ? await decidingFor(receipt, context, inForce)
          : await inForce().then((policies) => ({ policies, inForce: policies }))
      const { policies } = deciding
      if (!policies) {
        if (receipt) context.print({ receipt, decision: null }, () => [decidedLine(receipt), NOTHING_LEFT])
        return 2
      }
      const named = args.flag('policy')
      if (named !== undefined && !policies.find(named)) {
        context.err(`there is no policy \`${named}\`; known are ${policies.names.join(', ')}`)
        return 2
      }
      const facts = receipt ? receipt.facts : await readGiven(args, context, policies)
      if (!facts) return 2
      const list = Array.isArray(facts) ? (facts as readonly Facts[]) : [facts as Facts]
      const asking = named === undefined ? {} : { policy: named }
      const ofNow = receipt && !candidate && named === undefined
      // of facts from a file nobody knows whose they are
      const has =
        args.flag('facts') === undefined && list[0]!.user?.id !== undefined
          ? await factorsOf(list[0]!.user.id, await context.open())
          : undefined
      const enrolled = has?.kinds ?? []
      // it costs many decisions: an array is for those who have many
      const help = ofNow
        ? await helpNow(receipt, deciding, context, enrolled)
        : Array.isArray(facts)
          ? undefined
          : suggest(policies, list[0]!, { ...asking, enrolled })
      const suggestion = help === 'passes' ? undefined : help
      const decisions = list.map(
        (one): Explained => ({
          ...decide(policies, one, asking),
          ...(suggestion && { suggestion }),
          ...(has && { enrolled: has.kinds }),
        }),
      )
      const passes = help === 'passes' && { passes_now: true }
      const json = receipt
        ? { receipt, decision: decisions[0], ...passes }
        : Array.isArray(facts)
          ? decisions
          : decisions[0]
      context.print(json, () => [
        ...(receipt ? storedLines(receipt, { ...deciding, policies }, decisions[0]!, help) : []),
        ...decisions.flatMap((decision, index) => [...(index > 0 ? [''] : []), ...decisionLines(decision, has)]),
      ])
      const wanted = args.flag('assert')
      return wanted !== undefined && decisions.some(({ outcome }) => outcome !== wanted) ? 1 : 0
    },
  }
}

function checkFlags(args: Arguments): string | undefined {
  const sources = ['facts', 'receipt', 'places'].filter((name) =>
    name === 'places' ? PLACES.some((place) => args.flag(place) !== undefined) : args.flag(name) !== undefined,
  )
  if (args.positional.length > 0) return `policy explain takes flags only, not \`${args.positional[0]}\``
  if (sources.length === 0) return 'policy explain takes --user and --app, or --facts FILE, or --receipt REF'
  if (sources.length > 1)
    return 'policy explain takes either --facts or --receipt or --user, --app, --ip, --device and --at'
  if (sources[0] === 'places' && args.flag('app') === undefined && args.flag('policy') === undefined)
    return 'say which --app or --policy: without one there is nothing to decide'
  const wanted = args.flag('assert')
  if (wanted !== undefined && !OUTCOMES.includes(wanted)) return '`--assert` takes allow, deny or challenge'
  return undefined
}

async function readGiven(args: Arguments, context: Context, policies: Policies): Promise<Facts | Facts[] | undefined> {
  const file = args.flag('facts')
  if (file === undefined) return gatherGiven(args, context, policies)
  let source: string
  try {
    source = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    context.err(
      `${file}:1:1 file-unreadable file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
    return undefined
  }
  const { facts, problems } = readFacts(source, file)
  for (const problem of problems) context.err(formatProblem(problem))
  return facts
}

/**
 * What the gate would know if this person opened this app now, with the session they have, gathered by the same code;
 * what is not told is unknown. Without a person and an app nothing is opened.
 */
async function gatherGiven(args: Arguments, context: Context, policies: Policies): Promise<Facts | undefined> {
  const [username, appId, ip, deviceId, at] = PLACES.map((name) => args.flag(name))
  const now = at === undefined ? context.clock.now() : Date.parse(at)
  if (Number.isNaN(now)) {
    context.err('`--at` takes an instant like 2026-11-22T09:00:00Z')
    return undefined
  }
  const given = [username, appId, deviceId].some((one) => one !== undefined)
  const house = given ? await context.open() : undefined
  const found = username === undefined ? undefined : await house!.people.find(username)
  const app = appId === undefined ? undefined : await house!.catalog.apps.find(appId)
  if ((username !== undefined && !found) || (appId !== undefined && !app)) {
    if (username !== undefined && !found)
      context.err(`there is no such person: \`${username}\`; \`people list\` shows who is there`)
    if (appId !== undefined && !app)
      context.err(`there is no such app: \`${appId}\`; \`apps list\` shows what there is`)
    return undefined
  }
  const { person, outage } = found ? await house!.people.standing(found) : { person: undefined }
  const known = person && !person.disabled ? person : undefined
  const session = known && (await house!.sessions.ofPerson(known.id)).sort((a, b) => b.startedAt - a.startedAt)[0]
  const devices = known && deviceId !== undefined ? await house!.devices.ofPerson(known.id) : []
  const device = devices.find(({ id }) => id === deviceId)
  const enrolled = deviceId === undefined || device ? null : await enrolledAs(deviceId, house!, context)
  if (enrolled === 'several') return undefined
  // nobody signs in to a partner's program: it asks for itself
  const client = app?.partner && { id: app.id, authentication: app.oidc!.tokenEndpointAuthMethod }
  const as = client ? ({ kind: 'api', client } as const) : ({ kind: 'app' } as const)
  const question = { ...as, app, session, device, enrolled, address: ip ?? '', startedAt: now } as const
  const places = house?.places ?? openPlaces({ file: placesFile(context), log: silentLog })
  const outages = house?.people
  const sources = {
    policies,
    places,
    history: house?.history,
    clients: house?.clients,
    ...(outages && { outages }),
    outage,
  }
  const { facts: gathered } = await gatherFacts(question, known, now, sources, args.flag('policy') ?? app?.policy)
  const { network, device: seen, ...facts } = gathered
  const told = {
    ...facts,
    at: new Date(now).toISOString(),
    ...(ip === undefined ? {} : { network }),
    ...(deviceId === undefined ? {} : { device: { id: deviceId, ...seen } }),
  }
  const read = readFacts(JSON.stringify(told), 'command line')
  for (const problem of read.problems) context.err(formatProblem(problem))
  return read.facts as Facts | undefined
}

/** The enrolled device of that id or name; null where there is none: what is told is then known not to be enrolled. */
async function enrolledAs(named: string, house: House, context: Context): Promise<EnrolledDevice | null | 'several'> {
  const { enrolled } = house.devices
  const device = await enrolled.byId(named)
  if (device) return device
  const [found, another] = (await enrolled.list()).filter(({ name }) => name === named)
  if (!another) return found ?? null
  context.err(`several enrolled devices are called \`${named}\`; \`devices list --enrolled\` shows their ids`)
  return 'several'
}

const placesFile = ({ settings, folder }: Context): string | undefined =>
  settings.geo.file === undefined ? undefined : resolve(folder, settings.geo.file)
