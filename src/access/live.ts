/**
 * The policies in force. Once something was published, that is what decides, on every process, and the folder is a
 * candidate; until then the folder itself is followed. A bad file, or a bad version, is refused and the old ones stay; so
 * is a folder with errors that publishing would be refused for, unless what is in force has them too.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Audit } from '#audit'
import { formatProblem, type Problem } from '#config'
import type { Millis } from '#core/clock'
import type { Log } from '#core/log'
import { type Known, loadPolicies, type Policies, type PolicyFolder, readAhead } from '#policy'
import type { Soon } from '#storage'
import { type CheckRooms, failedTests, findErrors, findNewErrors } from './checks.ts'
import type { Versions } from './versions.ts'

export interface LivePolicies {
  current(): Policies
  /** The same, once what was published before the beginning of the request is loaded, by whichever process it was. */
  latest(): Soon<Policies>
  /** The number of the publication in force; 0 where it is the folder. */
  publication(): number
  /** Looks again; answers the problems, in which case nothing has changed. */
  reload(): Promise<readonly Problem[]>
  /** Looks by itself from now on. */
  follow(): void
  close(): void
}

export interface LiveOptions {
  readonly folder: string
  readonly log: Log
  readonly versions?: Versions
  /** Hears of what is loaded and refused. */
  readonly audit?: Audit
  /** Asked what a changed folder would do to the apps and the administrators there are. */
  readonly rooms?: CheckRooms
  /** What was read of these files already. */
  readonly known?: Known | undefined
}

/** Half of the second after which a publication is in force everywhere. */
const LOOK_EVERY: Millis = 500

/** Throws `PoliciesInvalid` with every problem in the message when there are no good policies to start with. */
export async function openLivePolicies(options: LiveOptions): Promise<LivePolicies> {
  const { folder, log, versions, audit, rooms } = options
  let stamp = ''
  let policies: Policies
  let inForce = 0
  /** The newest publication that was looked at, good or bad. */
  let looked = 0
  let failing = false
  /** How the folder was when it was looked at last. */
  let seen = ''
  let timer: NodeJS.Timeout | undefined

  async function read(head: number, known: Known | undefined): Promise<Read> {
    if (head === 0) {
      stamp = stampOf(folder)
      return readGoodAhead(folder, known)
    }
    return readPublished(versions!, head, known)
  }

  /** INVARIANT: one after another; of two at once, the one that began with older files could end last. */
  let before: Promise<unknown> = Promise.resolve()
  function reload(): Promise<readonly Problem[]> {
    const next = before.then(reloadNow, reloadNow)
    before = next
    return next
  }

  async function reloadNow(): Promise<readonly Problem[]> {
    const head = (await versions?.head()) ?? 0
    const next = await read(head, policies.known)
    // whoever published was asked
    const asked = head === 0 && next.policies && next.policies.version !== policies.version
    const problems = asked && rooms ? await findNewErrors(next.policies!, policies, rooms) : next.problems
    looked = head
    if (!next.policies || problems.length > 0) {
      for (const problem of problems) log.warn('policies-refused', { problem: formatProblem(problem) })
      await audit?.record('policies-refused', { actor: 'system', count: problems.length })
      return problems
    }
    inForce = head
    if (next.policies.version === policies.version) return []
    policies = next.policies
    await audit?.record('policies-loaded', { actor: 'system', reason: policies.version })
    return []
  }

  async function look(): Promise<void> {
    try {
      const head = (await versions?.head()) ?? 0
      const quiet = seen
      if (head === 0) seen = stampOf(folder)
      // half of a file can be good policies as well, so files are left to settle
      if (head > 0 ? head !== looked : seen !== stamp && seen === quiet) await reload()
      failing = false
    } catch (cause) {
      if (!failing) log.error('policies-reload-failed', {}, cause)
      failing = true
    }
  }

  let looking: Promise<void> | undefined
  function lookOnce(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }

  async function catchUp(head: Soon<number>): Promise<Policies> {
    // a look that was under way may have begun before
    for (let looks = 0; looks < 2 && (await head) > looked; looks++) {
      await lookOnce()
      head = versions!.recallHead()
    }
    return policies
  }

  const head = (await versions?.head()) ?? 0
  const first = await read(head, options.known)
  if (!first.policies) throw new PoliciesInvalid(first.problems)
  policies = first.policies
  looked = head
  inForce = head
  // with nothing better to fall back on, a gateway that serves some is better than none
  const errors = head === 0 && rooms ? await findErrors(policies, rooms) : []
  for (const error of errors) log.warn('policies-doubtful', { problem: formatProblem(error) })

  return {
    current: () => policies,
    publication: () => inForce,
    latest() {
      const head = versions ? versions.recallHead() : 0
      return typeof head === 'number' && head <= looked ? policies : catchUp(head)
    },
    reload,
    follow() {
      // looked at, not watched: a watch holds on to the folder that was there first, when a deployment puts another in
      // its place, and hears nothing from network file systems
      timer = setInterval(lookOnce, LOOK_EVERY)
      timer.unref()
    },
    close() {
      clearInterval(timer)
    },
  }
}

interface Read {
  readonly policies?: Policies
  readonly problems: readonly Problem[]
}

/** Good policies are those whose own tests pass, at the start as much as later. */
export function readGood(from: PolicyFolder, known?: Known): Read {
  const { policies, problems } = loadPolicies(from, known)
  const failed = policies ? failedTests(policies) : []
  return policies && failed.length === 0 ? { policies, problems } : { problems: [...problems, ...failed] }
}

/** The same while others are served. */
const readGoodAhead = async (from: PolicyFolder, known: Known | undefined): Promise<Read> =>
  readGood(from, await readAhead(from, known))

async function readPublished(versions: Versions, number: number, known: Known | undefined): Promise<Read> {
  const publication = await versions.find(`${number}`)
  const files = publication && (await versions.files(publication.version))
  const read = files ? await readGoodAhead(files, known) : { problems: [] }
  if (read.policies?.version === publication?.version) return read
  const message = `publication ${number} cannot be used; \`policy rollback\` or \`policy publish\` puts another one in force`
  return { problems: [...read.problems, { file: 'policies', line: 1, column: 1, code: 'version-unusable', message }] }
}

/** Changes whenever a file of the folder does. */
function stampOf(folder: string): string {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => {
        const found = statSync(join(folder, name), { throwIfNoEntry: false })
        return found ? `${name} ${found.ino} ${found.size} ${found.mtimeMs}` : name
      })
      .sort()
      .join('\n')
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code}`
  }
}

export class PoliciesInvalid extends Error {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(`policies cannot be used:\n${problems.map(formatProblem).join('\n')}`)
    this.problems = problems
  }
}
