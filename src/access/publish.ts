/** Publishing: what must hold of policies before they decide, and putting them in force. */
import type { Audit } from '#audit'
import type { Problem } from '#config'
import type { Clock } from '#core/clock'
import { Refusal } from '#core/refusal'
import { ADMINISTRATORS, type People } from '#directory'
import type { Factors } from '#factors'
import {
  CONSOLE_POLICY,
  loadPolicies,
  type Policies,
  type PolicyFiles,
  type PolicyFolder,
  runPolicyTests,
} from '#policy'
import { type Candidate, canReachConsole } from './console-reach.ts'
import type { Publication, Versions } from './versions.ts'

export interface PublishRooms {
  readonly versions: Versions
  readonly people: Pick<People, 'find' | 'list'>
  readonly factors: Pick<Factors, 'enrolled'>
  readonly audit: Pick<Audit, 'record'>
  readonly clock: Clock
  /** User names of people who must be able to reach the console, with what they have enrolled. */
  readonly breakGlass: readonly string[]
}

export interface Signed {
  readonly author: string
  readonly message: string
}

export type Published =
  | { readonly publication: Publication }
  /** These very policies are in force already. */
  | { readonly unchanged: Publication }
  | { readonly problems: readonly Problem[] }

const LARGEST_VERSION = 64 * 1024 * 1024
/** So many administrators are looked at until one is found who could get in. */
const MOST_ADMINISTRATORS = 50

type Check = (policies: Policies, rooms: PublishRooms) => readonly Problem[] | Promise<readonly Problem[]>

/** What keeps policies from being published, beyond files that cannot be read. All are asked; a finding is an error. */
const CHECKS: readonly Check[] = [failedTests, lockedOutAdministrators, lockedOutBreakGlass]

/**
 * Puts the candidate in force everywhere: servers look twice a second. What was checked and what is stored are the same
 * bytes. @throws Refusal `state-conflict` when somebody else published meanwhile
 */
export async function publish(candidate: PolicyFolder, signed: Signed, rooms: PublishRooms): Promise<Published> {
  const head = await rooms.versions.head()
  const { files, problems } = loadPolicies(candidate)
  if (problems.length > 0) return { problems }
  return put(files, { ...signed, rollback: false }, head, rooms)
}

/** Puts an earlier version in force again, the one before unless one is named. @throws Refusal `version-unknown` */
export async function rollBack(named: string | undefined, signed: Signed, rooms: PublishRooms): Promise<Published> {
  const head = await rooms.versions.head()
  const target = await rooms.versions.find(named ?? `${head - 1}`)
  const files = target && (await rooms.versions.files(target.version))
  if (!files) throw new Refusal('version-unknown', `policies: ${named ?? 'nothing was published before'}`)
  return put(files, { ...signed, rollback: true }, head, rooms)
}

async function put(
  files: PolicyFiles,
  about: Signed & { readonly rollback: boolean },
  head: number,
  rooms: PublishRooms,
): Promise<Published> {
  const size = [...files.files.values()].reduce((sum, text) => sum + text.length, 0)
  if (size > LARGEST_VERSION)
    return {
      problems: [problem(files.label, 'folder-too-large', `files are larger than ${LARGEST_VERSION} bytes together`)],
    }
  // judged from what will be stored, whatever happens to the folder meanwhile
  const { policies, problems } = loadPolicies(files)
  if (!policies) return { problems }
  const found = (await Promise.all(CHECKS.map((check) => check(policies, rooms)))).flat()
  if (found.length > 0) return { problems: found }
  const { version } = policies
  const current = head === 0 ? undefined : await rooms.versions.find(`${head}`)
  if (current?.version === version) return { unchanged: current }
  const publication = await rooms.versions.add({ ...about, version, files: files.files }, head)
  const event = about.rollback ? 'policies-rolled-back' : 'policies-published'
  await rooms.audit.record(event, { actor: 'cli', reason: version, count: publication.number })
  return { publication }
}

export function failedTests(policies: Policies): Problem[] {
  return runPolicyTests(policies)
    .filter((test) => !test.ok)
    .map(({ line }) =>
      problem(line, 'test-failed', 'a test in the file fails: `portico policy test` tells what came instead'),
    )
}

/** Where there are administrators, one of them must be able to get in. */
async function lockedOutAdministrators(policies: Policies, rooms: PublishRooms): Promise<Problem[]> {
  const everyone = await rooms.people.list({ group: ADMINISTRATORS, disabled: false, limit: MOST_ADMINISTRATORS })
  if (everyone.length === 0) return []
  const now = rooms.clock.now()
  for (const person of everyone) {
    const candidate: Candidate = { person, enrolled: await rooms.factors.enrolled(person.id) }
    if (canReachConsole(policies, candidate, now, { mayEnrol: true })) return []
  }
  const message = `no administrator could reach the console any more, from any network, at any time, with what they have enrolled`
  return [problem(placeOf(policies), 'administrators-locked-out', message)]
}

async function lockedOutBreakGlass(policies: Policies, rooms: PublishRooms): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const username of rooms.breakGlass) {
    const person = await rooms.people.find(username)
    const enrolled = person ? await rooms.factors.enrolled(person.id) : []
    const reaches = person && canReachConsole(policies, { person, enrolled }, rooms.clock.now(), { mayEnrol: false })
    if (reaches) continue
    const why = person ? 'could not reach the console with what they have enrolled' : 'is nobody here'
    problems.push(problem(placeOf(policies), 'break-glass-locked-out', `\`${username}\` of \`break_glass\` ${why}`))
  }
  return problems
}

/** Where the policy about the console stands, or the first one where there is none. */
const placeOf = (policies: Policies): string => (policies.find(CONSOLE_POLICY) ?? policies.list[0]!).line

function problem(line: string, code: string, message: string): Problem {
  const [, file = line, number = 1] = /^(.*):(\d+)$/.exec(line) ?? []
  return { file, line: Number(number), column: 1, code, message }
}
