/** `partners …`: contracts of partners. Each is one file and becomes one app. */

import type { App, Rate } from '#catalog'
import { formatDuration } from '#core/duration'
import type { Context, Verb } from '../verb.ts'
import { idOf } from './app-lines.ts'
import { forPrograms, planLines, rowLine, summary } from './manifest-lines.ts'
import { partnerKit } from './partners-kit.ts'
import { filesAt } from './source-files.ts'

const BY = 'cli'

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
const rateOf = ({ most, within }: Rate): string => `${most}/${formatDuration(within)}`

/** In the words of a contract; a last day is the day before the first one without. */
const shown = ({ id, name, organisation, policy, oidc, partner, createdAt, changedAt }: App) => ({
  id,
  name,
  organisation,
  contacts: partner!.contacts,
  policy,
  authentication: oidc!.tokenEndpointAuthMethod,
  ...(oidc!.jwks && { keys: oidc!.jwks.keys.map(({ kid, kty }) => String(kid ?? kty)) }),
  ...(oidc!.jwksUri !== undefined && { jwks_uri: oidc!.jwksUri }),
  networks: partner!.networks ?? null,
  apis: oidc!.apis,
  ...(partner!.quota.tokens && { tokens: rateOf(partner!.quota.tokens) }),
  ...(partner!.quota.calls && { calls: rateOf(partner!.quota.calls) }),
  ...(partner!.endsAt !== undefined && { ends_at: new Date(partner!.endsAt).toISOString() }),
  ...(partner!.endedAt !== undefined && { ended_at: new Date(partner!.endedAt).toISOString() }),
  created_at: new Date(createdAt).toISOString(),
  changed_at: new Date(changedAt).toISOString(),
})

function stateOf({ partner }: App, now: number): string {
  if (partner!.endedAt !== undefined) return `ended on ${dayOf(partner!.endedAt)}`
  if (partner!.endsAt === undefined) return 'without an end'
  return `${partner!.endsAt <= now ? 'over since' : 'until'} ${dayOf(partner!.endsAt)}`
}

const listPartners: Verb = {
  words: ['partners', 'list'],
  usage: 'partners list',
  summary: 'partners and until when they get tokens',
  async run(_args, context) {
    const all = await (await context.open()).catalog.partners.list()
    context.print(all.map(shown), () =>
      all.length > 0
        ? all.map(
            (app) =>
              `${app.id}  ${app.name}  ${app.organisation}  ${Object.keys(app.oidc!.apis).join(' ')}  ${stateOf(app, context.clock.now())}`,
          )
        : 'no partners; `partners apply DIR` registers them',
    )
    return 0
  },
}

const showPartner: Verb = {
  words: ['partners', 'show'],
  usage: 'partners show ID',
  summary: 'everything about a partner but its secret',
  async run(args, context) {
    const id = idOf(showPartner, args, context)
    if (id === undefined) return 2
    const { catalog, clients } = await context.open()
    const app = await catalog.partners.find(id)
    const { contacts, apis, networks, ...rest } = shown(app)
    const seen = await clients.show(id)
    const from = seen.networks.map(({ network, since }) => ({ network, since: new Date(since).toISOString() }))
    const past = { seen_from: from, busiest_hour: seen.busiest ?? null }
    context.print({ ...shown(app), ...past }, () => [
      ...Object.entries(rest).map(([key, value]) => `${key.padEnd(16)} ${[value].flat().join(' ')}`),
      `${'networks'.padEnd(16)} ${networks?.join(' ') ?? 'any'}`,
      ...contacts.map(({ name, email }) => `${'contact'.padEnd(16)} ${name} <${email}>`),
      ...Object.entries(apis).map(([api, scopes]) => `${'api'.padEnd(16)} ${api}: ${scopes.join(' ')}`),
      `${'contract'.padEnd(16)} ${stateOf(app, context.clock.now())}`,
      ...from.map(({ network, since }) => `${'source'.padEnd(16)} ${network} since ${since.slice(0, 10)}`),
      `${'busiest hour'.padEnd(16)} ${seen.busiest === undefined ? 'not known yet' : `${seen.busiest} requests for tokens`}`,
    ])
    return 0
  },
}

const exportPartner: Verb = {
  words: ['partners', 'export'],
  usage: 'partners export ID',
  summary: 'a partner as a contract, of which applying changes nothing',
  async run(args, context) {
    const id = idOf(exportPartner, args, context)
    if (id === undefined) return 2
    const contract = await (await context.open()).catalog.partners.export(id)
    context.print({ id, contract }, () => contract.trimEnd())
    return 0
  },
}

const applyPartners: Verb = {
  words: ['partners', 'apply'],
  usage: 'partners apply FILE|DIR [--dry-run] [--prune]',
  summary: 'make the partners what their contracts say; one with a mistake stays as it is',
  creates: true,
  switches: ['dry-run', 'prune'],
  async run(args, context) {
    const [path, ...more] = args.positional
    if (path === undefined || more.length > 0) {
      context.err(`usage: portico ${applyPartners.usage}`)
      return 2
    }
    const files = await filesAt(path, context)
    if (!files) return 2
    if (args.has('prune') && !files.folder) {
      context.err('`--prune` removes every partner that is not among the contracts, so it takes a folder')
      return 2
    }
    const { apps, partners } = (await context.open()).catalog
    const people = !context.json
    const applied = await partners.apply(files.sources, {
      by: BY,
      dryRun: args.has('dry-run'),
      prune: args.has('prune'),
      unread: files.problems,
      onPlan(plan) {
        if (people) for (const line of planLines(plan)) context.out(line)
      },
      onRow(row) {
        if (people && (row.action !== 'unchanged' || row.clientSecret !== undefined)) context.out(rowLine(row))
      },
    })
    context.print(forPrograms(applied), () => summary(applied))
    const withSecret = applied.changes.filter(({ clientSecret }) => clientSecret !== undefined).map(({ id }) => id)
    if (withSecret.length > 0) await apps.secretsShown(withSecret)
    return applied.problems.length > 0 || applied.changes.some(({ result }) => result === 'failed') ? 1 : 0
  },
}

/** Ending and taking that back differ in a word. */
function ending(word: 'end' | 'resume', summary: string, done: string, before: string): Verb {
  const verb: Verb = {
    words: ['partners', word],
    usage: `partners ${word} ID`,
    summary,
    async run(args, context: Context) {
      const id = idOf(verb, args, context)
      if (id === undefined) return 2
      const changed = await (await context.open()).catalog.partners[word](id, BY)
      context.print({ id, changed }, () => `${id} ${changed ? done : before}`)
      return 0
    },
  }
  return verb
}

export const partnersVerbs: readonly Verb[] = [
  applyPartners,
  listPartners,
  showPartner,
  exportPartner,
  partnerKit,
  ending(
    'end',
    'a partner gets no tokens any more, whatever is applied; opaque tokens are over at once',
    'gets no tokens any more; those that it has are over, at gateways that poll the list within seconds',
    'was ended before',
  ),
  ending(
    'resume',
    'a partner that was ended gets tokens again',
    'gets tokens again; those from before stay over',
    'was not ended',
  ),
]
