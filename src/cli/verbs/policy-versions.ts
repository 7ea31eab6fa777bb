/** `policy publish | versions | rollback`: what decides everywhere, and who put it there. */
import { type Publication, type Published, publish, rollBack } from '#access'
import { formatProblem } from '#config'
import { Refusal } from '#core/refusal'
import { time } from '../moment.ts'
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { folderOf } from './policy-folder.ts'

const LONGEST = 500

const line = ({ number, at, version, author, message, rollback, restores }: Publication, undone = false): string => {
  const what = rollback ? `(back to ${restores ?? version.slice(0, 19)})` : undone ? '(rolled back)' : ''
  return [`${number}`.padStart(4), time(at), version.slice(0, 19), author, what, message]
    .filter((part) => part !== '')
    .join('  ')
}

/** One line of text each, or undefined after saying what is wrong. */
function signed(args: Arguments, context: Context): { author: string; message: string } | undefined {
  const said = { author: args.flag('author') ?? 'cli', message: args.flag('message') ?? '' }
  const wrong = Object.entries(said).find(([, text]) => text.length > LONGEST || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text))
  if (!wrong) return said
  context.err(`--${wrong[0]}: expected one line of at most ${LONGEST} characters`)
  return undefined
}

const rooms = ({ versions, people, factors, devices, catalog, audit, clock }: House, { settings }: Context) => ({
  versions,
  people,
  factors,
  apps: catalog.apps,
  devices,
  audit,
  clock,
  breakGlass: settings.break_glass,
})

/** Runs it and says what came of it; somebody who published at the same moment is a no, not a mistake. */
async function carryOut(context: Context, work: (house: House) => Promise<Published>): Promise<number> {
  const house = await context.open()
  let result: Published
  try {
    result = await work(house)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'state-conflict') throw error
    const [inForce] = await house.versions.list(1)
    context.print({ ok: false, conflict: inForce ?? null, problems: [] }, () => [
      'somebody else published at the same moment, and nothing was changed; in force is',
      ...(inForce ? [line(inForce)] : []),
    ])
    return 1
  }
  if ('problems' in result) {
    const { problems } = result
    context.print({ ok: false, problems }, () => [...problems.map(formatProblem), 'nothing was changed'])
    return 1
  }
  const publication = 'publication' in result ? result.publication : result.unchanged
  const published = 'publication' in result
  context.print({ ok: true, published, publication }, () => [
    published
      ? 'in force on every server once it has read them, within a second unless thousands of rules are new:'
      : 'in force already:',
    line(publication),
  ])
  return 0
}

const publishVerb: Verb = {
  words: ['policy', 'publish'],
  usage: 'policy publish [--policies DIR] [--author NAME] [--message TEXT]',
  summary: 'put the policy files in force on every server, as a version that can be rolled back to',
  options: ['policies', 'author', 'message'],
  async run(args, context) {
    const about = signed(args, context)
    if (!about) return 2
    return carryOut(context, (house) => publish(folderOf(args, context), about, rooms(house, context)))
  },
}

const rollbackVerb: Verb = {
  words: ['policy', 'rollback'],
  usage: 'policy rollback [--to VERSION] [--author NAME] [--message TEXT]',
  summary:
    'put an earlier version in force again: the one before that in force, and once more the one before that; --to names one by number or version',
  options: ['to', 'author', 'message'],
  async run(args, context) {
    const about = signed(args, context)
    const named = [...args.flags('to'), ...args.positional]
    if (!about || named.length > 1) {
      if (about) context.err('policy rollback takes one version')
      return 2
    }
    return carryOut(context, (house) => rollBack(named[0], about, rooms(house, context)))
  },
}

const MOST = 1000

const versionsVerb: Verb = {
  words: ['policy', 'versions'],
  usage: 'policy versions',
  summary: 'what was published, the newest first, and what is in force',
  async run(_args, context) {
    const { versions } = await context.open()
    const found = await versions.list(MOST)
    const led = new Set(await versions.lineage())
    const undone = ({ number, rollback }: Publication): boolean => !rollback && !led.has(number)
    const source = found.length > 0 ? 'published' : 'folder'
    const publications = found.map((one) => ({ ...one, rolled_back: undone(one) }))
    context.print({ in_force: source, publications }, () =>
      found.length === 0
        ? `nothing was published: servers follow the folder \`${context.settings.policies}\` by themselves`
        : [
            `in force is publication ${found[0]!.number}; the folder \`${context.settings.policies}\` is a candidate until it is published`,
            ...found.map((one) => line(one, undone(one))),
          ],
    )
    return 0
  },
}

export const policyVersionsVerbs: readonly Verb[] = [publishVerb, versionsVerb, rollbackVerb]
