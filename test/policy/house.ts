/** Policies for tests, read by the real loader from a real folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Decision, decide, type Facts, loadPolicies, type Policies } from '#policy'

/** Runs `use` on a folder with these files; texts as they are, anything else as JSON, which is YAML too. */
export function inFolder<T>(files: Readonly<Record<string, unknown>>, use: (dir: string) => T): T {
  const dir = join(mkdtempSync(join(tmpdir(), 'portico-policy-')), 'policies')
  const remove = () => rmSync(dirname(dir), { recursive: true, force: true })
  try {
    mkdirSync(dir)
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
    }
    const result = use(dir)
    if (result instanceof Promise) return result.finally(remove) as T
    remove()
    return result
  } catch (error) {
    remove()
    throw error
  }
}

export const load = (files: Readonly<Record<string, unknown>>) => inFolder(files, loadPolicies)

export const NETWORKS = {
  networks: {
    stores: { ranges: ['192.0.2.0/24', '2001:db8:20::/48'] },
    office: { ranges: ['198.51.100.0/25'] },
  },
}

/** One policy `p` of these rules, and whatever other files there are. */
export function policiesOf(rules: unknown, others: Readonly<Record<string, unknown>> = {}): Policies {
  const { policies, problems } = load({ 'networks.yaml': NETWORKS, 'p.yaml': { policy: 'p', rules }, ...others })
  if (!policies) throw new Error(JSON.stringify(problems, undefined, 1))
  return policies
}

export const judge = (rules: unknown, facts: Facts, others: Readonly<Record<string, unknown>> = {}): Decision =>
  decide(policiesOf(rules, others), facts, { policy: 'p' })

/** Problems as `file:line:column code`, without the folder. */
export const problemsOf = (files: Readonly<Record<string, unknown>>): string[] =>
  load(files).problems.map(
    ({ file, line, column, code }) => `${file.replace(/^.*\/policies\/?/, '')}:${line}:${column} ${code}`,
  )

export const NINE = '2026-11-23T09:00:00Z'
export const nine = Date.parse(NINE)
export const minutes = (n: number): number => n * 60_000

/** Somebody who has given these factors so many minutes ago. */
export const given = (...factors: [factor: string, minutesAgo: number, more?: object][]): Facts => ({
  at: NINE,
  user: { id: 'u1', groups: ['staff'] },
  session: {
    started: nine - minutes(600),
    authenticated: factors.map(([factor, ago, more]) => ({ factor, at: nine - minutes(ago), ...more })),
  },
})
