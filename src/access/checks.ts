/** What must hold of policies before they decide, beyond files that can be read. */
import type { Apps } from '#catalog'
import type { Problem } from '#config'
import type { Clock } from '#core/clock'
import type { People, Person } from '#directory'
import type { Factors } from '#factors'
import { CONSOLE_POLICY, findPolicyErrors, type Policies, runPolicyTests } from '#policy'
import type { Devices } from '#sessions'
import { someAdministratorReaches } from './administrators.ts'
import { type Candidate, canReachConsole, type Reaching, reachingUnder } from './console-reach.ts'

export interface CheckRooms {
  readonly people: Pick<People, 'find' | 'list'>
  readonly factors: Pick<Factors, 'enrolled'>
  readonly apps: Pick<Apps, 'list'>
  readonly devices: Pick<Devices, 'ofPerson'> & { readonly enrolled: Pick<Devices['enrolled'], 'list'> }
  readonly clock: Clock
  /** User names of people who must be able to reach the console, with what they have enrolled. */
  readonly breakGlass: readonly string[]
}

/** `closed`: nobody at all could reach the console, which was said already. */
type Check = (policies: Policies, rooms: CheckRooms, closed: boolean) => Promise<readonly Problem[]>

/** Of the people who are here. All are asked; what one finds is an error. */
const CHECKS: readonly Check[] = [lockedOutAdministrators, lockedOutBreakGlass]

/** Why these policies, whose files can be read, are not to be put in force here: what `policy check` calls an error, and more. */
export async function findErrors(policies: Policies, rooms: CheckRooms): Promise<Problem[]> {
  const found = findPolicyErrors(policies, await rooms.apps.list())
  const console = policies.find(CONSOLE_POLICY)
  const closed =
    !console ||
    found.some((one) => one.code === 'administrators-locked-out' && `${one.file}:${one.line}` === console.line)
  const more = await Promise.all(CHECKS.map((check) => check(policies, rooms, closed)))
  return [...found.map(({ severity: _, ...one }) => one), ...more.flat()]
}

/**
 * The errors that only the candidate has. Those that the policies in force have as well are no reason to keep these:
 * whoever mends one thing of several must not be held up by the rest.
 */
export async function findNewErrors(candidate: Policies, inForce: Policies, rooms: CheckRooms): Promise<Problem[]> {
  const found = await findErrors(candidate, rooms)
  if (found.length === 0) return found
  const there = new Set((await findErrors(inForce, rooms)).map(sameError))
  return found.filter((one) => !there.has(sameError(one)))
}

/** Wherever it stands. */
const sameError = ({ code, message }: Problem): string => `${code} ${message}`

export function failedTests(policies: Policies): Problem[] {
  return runPolicyTests(policies)
    .filter((test) => !test.ok)
    .map(({ line }) =>
      problem(line, 'test-failed', 'a test in the file fails: `portico policy test` tells what came instead'),
    )
}

/** Where there are administrators, one of them must be able to get in. Not sure is no reason to refuse. */
async function lockedOutAdministrators(policies: Policies, rooms: CheckRooms, closed: boolean): Promise<Problem[]> {
  if (closed) return []
  const looking = {
    people: rooms.people,
    candidateOf: (person: Person) => candidateOf(person, rooms),
    now: rooms.clock.now,
  }
  if ((await someAdministratorReaches(policies, looking, await howFor(policies, rooms, true))) !== 'no') return []
  const message = `no administrator could reach the console any more, from any network, at any time, with what they have enrolled`
  return [problem(placeOf(policies), 'administrators-locked-out', message)]
}

async function lockedOutBreakGlass(policies: Policies, rooms: CheckRooms, closed: boolean): Promise<Problem[]> {
  const problems: Problem[] = []
  if (rooms.breakGlass.length === 0) return problems
  const how = await howFor(policies, rooms, false)
  for (const username of rooms.breakGlass) {
    const person = await rooms.people.find(username)
    if (person && closed) continue
    if (person && canReachConsole(policies, await candidateOf(person, rooms), rooms.clock.now(), how)) continue
    const why = person ? 'could not reach the console with what they have enrolled' : 'is nobody here'
    problems.push(problem(placeOf(policies), 'break-glass-locked-out', `\`${username}\` of \`break_glass\` ${why}`))
  }
  return problems
}

async function candidateOf(person: Person, { factors, devices }: CheckRooms): Promise<Candidate> {
  const known = (await devices.ofPerson(person.id)).length > 0
  return { person, enrolled: await factors.enrolled(person.id), known }
}

/** Devices are thousands, so they are looked at where some rule does. */
const howFor = async (policies: Policies, { devices }: CheckRooms, mayEnrol: boolean): Promise<Reaching> =>
  reachingUnder(policies, {
    mayEnrol,
    devices: policies.needs.has('enrolment') ? await devices.enrolled.list() : [],
  })

/** Where the policy about the console stands, or the first one where there is none. */
const placeOf = (policies: Policies): string => (policies.find(CONSOLE_POLICY) ?? policies.list[0]!).line

export function problem(line: string, code: string, message: string): Problem {
  const [, file = line, number = 1] = /^(.*):(\d+)$/.exec(line) ?? []
  return { file, line: Number(number), column: 1, code, message }
}
