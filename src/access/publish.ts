/** Publishing: what must hold of policies before they decide, and putting them in force. */
import type { Audit } from '#audit'
import type { Problem } from '#config'
import { Refusal } from '#core/refusal'
import { type Known, loadPolicies, type PolicyFiles, type PolicyFolder } from '#policy'
import { type CheckRooms, failedTests, findErrors, problem } from './checks.ts'
import type { Publication, Versions } from './versions.ts'

export interface PublishRooms extends CheckRooms {
  readonly versions: Versions
  readonly audit: Pick<Audit, 'record'>
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

/**
 * Puts the candidate in force everywhere: servers look twice a second. What was checked and what is stored are the same
 * bytes. @throws Refusal `state-conflict` when somebody else published meanwhile
 */
export async function publish(candidate: PolicyFolder, signed: Signed, rooms: PublishRooms): Promise<Published> {
  const head = await rooms.versions.head()
  const { policies, files, problems } = loadPolicies(candidate)
  if (problems.length > 0) return { problems }
  return put(files, { ...signed, rollback: false }, head, rooms, policies?.known)
}

/**
 * Puts an earlier version in force again, as a new publication: the one that is named, else the one before that in force. What was
 * rolled back does not count as before, so that once more goes further back and never forwards.
 * @throws Refusal `version-unknown` where nothing has that name, or nothing was in force before
 */
export async function rollBack(named: string | undefined, signed: Signed, rooms: PublishRooms): Promise<Published> {
  const head = await rooms.versions.head()
  const before = named ?? (await rooms.versions.lineage()).at(-2)
  const target = before === undefined ? undefined : await rooms.versions.find(`${before}`)
  const files = target && (await rooms.versions.files(target.version))
  if (!files) throw new Refusal('version-unknown', `policies: ${named ?? 'nothing was in force before'}`)
  return put(files, { ...signed, rollback: true, restores: target.number }, head, rooms)
}

async function put(
  files: PolicyFiles,
  about: Signed & { readonly rollback: boolean; readonly restores?: number },
  head: number,
  rooms: PublishRooms,
  known?: Known,
): Promise<Published> {
  const size = [...files.files.values()].reduce((sum, text) => sum + text.length, 0)
  if (size > LARGEST_VERSION)
    return {
      problems: [problem(files.label, 'folder-too-large', `files are larger than ${LARGEST_VERSION} bytes together`)],
    }
  // judged from what will be stored, whatever happens to the folder meanwhile
  const { policies, problems } = loadPolicies(files, known)
  if (!policies) return { problems }
  const found = [...failedTests(policies), ...(await findErrors(policies, rooms))]
  if (found.length > 0) return { problems: found }
  const { version } = policies
  const current = head === 0 ? undefined : await rooms.versions.find(`${head}`)
  if (current?.version === version) return { unchanged: current }
  const event = about.rollback ? 'policies-rolled-back' : 'policies-published'
  // INVARIANT: no publication without its event, whenever the process that publishes dies
  const publication = await rooms.versions.add({ ...about, version, files: files.files }, head, (number, transaction) =>
    rooms.audit.record(event, { actor: 'cli', reason: version, count: number }, transaction),
  )
  return { publication }
}
