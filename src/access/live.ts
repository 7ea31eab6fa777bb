/** The policies in force. A bad file is refused with its line and the old ones stay. */
import { type FSWatcher, watch } from 'node:fs'
import type { Audit } from '#audit'
import { formatProblem, type Problem } from '#config'
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

const SETTLE = 200

/** Throws with every problem in the message when there are no good policies to start with. */
export function openLivePolicies({ folder, log }: { folder: string; log: Log }): LivePolicies {
  const first = loadPolicies(folder)
  if (!first.policies) throw new PoliciesInvalid(first.problems)
  let policies = first.policies
  let audit: Audit | undefined
  let watcher: FSWatcher | undefined
  let timer: NodeJS.Timeout | undefined

  async function reload(): Promise<readonly Problem[]> {
    const next = loadPolicies(folder)
    const failed = next.policies ? runPolicyTests(next.policies).filter((test) => !test.ok) : []
    if (!next.policies || failed.length > 0) {
      for (const problem of next.problems) log.warn('policies-refused', { problem: formatProblem(problem) })
      for (const test of failed) log.warn('policies-refused', { problem: `${test.line} test-failed` })
      await audit?.record('policies-refused', { actor: 'system', count: next.problems.length + failed.length })
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
      watcher = watch(folder, { recursive: true, persistent: false }, () => {
        // an editor writes a file in several steps; half of it would only be refused, but the log stays quiet this way
        clearTimeout(timer)
        timer = setTimeout(() => void reload().catch((cause) => log.error('policies-reload-failed', {}, cause)), SETTLE)
        timer.unref()
      })
      watcher.on('error', (cause) => log.warn('policies-watch-failed', {}, cause))
    },
    close() {
      clearTimeout(timer)
      watcher?.close()
    },
  }
}

export class PoliciesInvalid extends Error {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(`policies cannot be used:\n${problems.map(formatProblem).join('\n')}`)
    this.problems = problems
  }
}
