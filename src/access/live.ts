/** The policies in force. A bad file is refused with its line and the old ones stay. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Audit } from '#audit'
import { formatProblem, type Problem } from '#config'
import { type Millis, seconds } from '#core/clock'
import type { Log } from '#core/log'
import { loadPolicies, type Policies, runPolicyTests } from '#policy'

export interface LivePolicies {
  current(): Policies
  /** Reads the folder again; answers the problems, in which case nothing has changed. */
  reload(): Promise<readonly Problem[]>
  /** From now on the trail hears of what is loaded and refused. */
  report(audit: Audit): void
  /** Reloads by itself when a file changes. */
  follow(): void
  close(): void
}

const LOOK_EVERY: Millis = seconds(1)

/** Throws with every problem in the message when there are no good policies to start with. */
export function openLivePolicies({ folder, log }: { folder: string; log: Log }): LivePolicies {
  let seen = stampOf(folder)
  const first = read(folder)
  if (!first.policies) throw new PoliciesInvalid(first.problems)
  let policies = first.policies
  let audit: Audit | undefined
  let timer: NodeJS.Timeout | undefined

  async function reload(): Promise<readonly Problem[]> {
    seen = stampOf(folder)
    const next = read(folder)
    if (!next.policies) {
      for (const problem of next.problems) log.warn('policies-refused', { problem: formatProblem(problem) })
      await audit?.record('policies-refused', { actor: 'system', count: next.problems.length })
      return next.problems
    }
    if (next.policies.version === policies.version) return []
    policies = next.policies
    await audit?.record('policies-loaded', { actor: 'system', reason: policies.version })
    return []
  }

  return {
    current: () => policies,
    reload,
    report(trail) {
      audit = trail
    },
    follow() {
      // looked at, not watched: a watch holds on to the folder that was there first, when a deployment puts another in
      // its place, and hears nothing from network file systems
      timer = setInterval(() => {
        if (stampOf(folder) !== seen) reload().catch((cause) => log.error('policies-reload-failed', {}, cause))
      }, LOOK_EVERY)
      timer.unref()
    },
    close() {
      clearInterval(timer)
    },
  }
}

/** Good policies are those whose own tests pass, at the start as much as later. */
function read(folder: string): { readonly policies?: Policies; readonly problems: readonly Problem[] } {
  const { policies, problems } = loadPolicies(folder)
  const failed = policies ? runPolicyTests(policies).filter((test) => !test.ok) : []
  if (policies && failed.length === 0) return { policies, problems }
  const message = 'a test in the file fails: `portico policy test` tells what came instead'
  return {
    problems: [
      ...problems,
      ...failed.map(({ line }): Problem => {
        const colon = line.lastIndexOf(':')
        return {
          file: line.slice(0, colon),
          line: Number(line.slice(colon + 1)),
          column: 1,
          code: 'test-failed',
          message,
        }
      }),
    ],
  }
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
