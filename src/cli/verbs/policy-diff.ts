/** `policy diff`: what two sets of policies differ in, rule by rule, in words. */
import { type Detail, diffPolicies, loadPolicies, type PolicyChange, type PolicyFiles } from '#policy'
import type { Arguments, Context, Verb } from '../verb.ts'
import { filesNamed, folderOf, isFolder, publicationInForce } from './policy-folder.ts'
import { written } from './policy-lines.ts'

export const policyDiffVerb: Verb = {
  words: ['policy', 'diff'],
  usage: 'policy diff [A [B]]',
  summary:
    'what is different, rule by rule, from A to B: folders, published versions or `current`; one folder: from what is in force to it; one version: from it to the folder of the settings; none: from what is in force to that folder',
  async run(args, context) {
    if (args.positional.length > 2) {
      context.err('policy diff takes two folders or versions')
      return 2
    }
    const ends = await endsOf(args, context)
    if (!ends) {
      context.err('nothing was published, so say what to compare: policy diff A [B]')
      return 2
    }
    const from = await filesNamed(ends.from, context)
    const to = from && (await filesNamed(ends.to, context))
    if (!from || !to) return 2
    const changes = diffPolicies(from.files, to.files)
    const [before, after] = [versionOf(from.files), versionOf(to.files)]
    context.print({ from: from.is, to: to.is, before, after, same: before === after, changes }, () => [
      `from ${from.is} to ${to.is}:`,
      ...(changes.length > 0
        ? changes.flatMap(changeLines)
        : [
            before === after
              ? 'the same'
              : 'no rule, network or strength is different; tests, comments or spelling are',
          ]),
    ])
    return 0
  },
}

/** From the older one to the newer, as far as that is known: a folder is a candidate, beside anything that was published. */
async function endsOf(args: Arguments, context: Context): Promise<{ from: string; to: string } | undefined> {
  const [a, b] = args.positional
  const folder = folderOf(args, context)
  if (a !== undefined && b !== undefined) return { from: a, to: b }
  if (a !== undefined && !isFolder(a)) return { from: a, to: folder }
  const published = await publicationInForce(context)
  if (a === undefined) return published && { from: 'current', to: folder }
  // servers follow the folder as long as nothing was published
  return { from: published ? 'current' : folder, to: a }
}

const versionOf = (files: PolicyFiles): string | null => loadPolicies(files).policies?.version ?? null

const SIGNS = { added: '+', removed: '-', changed: '~', moved: '>' } as const

function changeLines({ change, of, policy, name, line, details }: PolicyChange): string[] {
  const what = of === 'rule' ? `rule ${policy} › ${name}` : `${of} ${name}`
  return [`${SIGNS[change]} ${what} ${change}  (${line})`, ...details.map((detail) => `    ${detailLine(detail)}`)]
}

function detailLine({ path, before, after }: Detail): string {
  if (before === undefined) return `${path}: ${written(after)} is new`
  if (after === undefined) return `${path}: ${written(before)} is gone`
  return `${path}: ${written(before)} → ${written(after)}`
}
