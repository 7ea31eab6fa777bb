/** `policy diff`: what two sets of policies differ in, rule by rule, in words. */
import { type Detail, diffPolicies, loadPolicies, type PolicyChange, type PolicyFiles } from '#policy'
import type { Verb } from '../verb.ts'
import { filesNamed, folderOf, publicationInForce } from './policy-folder.ts'
import { written } from './policy-lines.ts'

export const policyDiffVerb: Verb = {
  words: ['policy', 'diff'],
  usage: 'policy diff [A [B]]',
  summary:
    'what is different, rule by rule, from A to B: folders, published versions or `current`; else from what is in force to the folder',
  async run(args, context) {
    if (args.positional.length > 2) {
      context.err('policy diff takes two folders or versions')
      return 2
    }
    const [a, b] = args.positional
    const inForce = a === undefined ? await publicationInForce(context) : undefined
    if (a === undefined && !inForce) {
      context.err('nothing was published, so say what to compare: policy diff A [B]')
      return 2
    }
    const before = await filesNamed(a ?? 'current', context)
    const after = before && (await filesNamed(b ?? folderOf(args, context), context))
    if (!before || !after) return 2
    const changes = diffPolicies(before, after)
    const versions = { before: versionOf(before), after: versionOf(after) }
    context.print({ ...versions, same: versions.before === versions.after, changes }, () =>
      changes.length > 0
        ? changes.flatMap(changeLines)
        : versions.before === versions.after
          ? 'the same'
          : 'no rule, network or strength is different; tests, comments or spelling are',
    )
    return 0
  },
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
