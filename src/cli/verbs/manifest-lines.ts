/** How a plan and what came of it are printed. */
import type { Applied, AppliedChange, Plan } from '#catalog'
import { formatProblem } from '#config'

const SIGN = { create: '+', change: '~', unchanged: '=', remove: '-' } as const
const DONE = { create: 'created', change: 'changed', unchanged: 'unchanged', remove: 'removed' } as const
const LONGEST_VALUE = 160

/** ATTACK: values come from files that somebody else wrote; none of them speaks to the terminal. */
const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

function shown(value: unknown): string {
  if (value === undefined) return '(none)'
  const text = visible(JSON.stringify(value))
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text
}

const counted = (changes: readonly { action: keyof typeof SIGN }[], action: keyof typeof SIGN): number =>
  changes.filter((change) => change.action === action).length

/** Mistakes, then what changes, with the values before and after; what stays is only counted. */
export function planLines({ changes, refused, problems, kept }: Plan): string[] {
  return [
    ...problems.map(formatProblem),
    ...changes
      .filter(({ action }) => action !== 'unchanged')
      .flatMap(({ id, action, fields }) => [
        `${SIGN[action]} ${action.padEnd(9)} ${id}`,
        ...fields.map(({ field, before, after }) => `    ${field}: ${shown(before)} -> ${shown(after)}`),
      ]),
    ...refused.map(({ id, file, line }) => visible(`! refused   ${id ?? '(no id)'} (${file}:${line})`)),
    ...kept.map((id) => `! kept      ${id} (nothing is pruned while a file has a mistake)`),
    [
      'plan:',
      ...(['create', 'change', 'remove'] as const).map((action) => `${counted(changes, action)} to ${action},`),
      `${counted(changes, 'unchanged')} unchanged`,
      ...(refused.length > 0 ? [`, ${refused.length} refused`] : []),
    ]
      .join(' ')
      .replace(' ,', ','),
  ]
}

export function rowLine({ id, action, result, code, clientSecret }: AppliedChange): string {
  if (result === 'failed') return `! failed    ${id} (${code})`
  const secret = clientSecret === undefined ? '' : ` secret ${clientSecret}`
  const again = action === 'unchanged' && secret ? ' (made by a run that ended before it was shown)' : ''
  return `${SIGN[action]} ${DONE[action].padEnd(9)} ${id}${secret}${again}`
}

export function summary({ changes, refused, problems, written }: Applied): string[] {
  const failed = changes.filter(({ result }) => result === 'failed').length
  const done = changes.filter(({ result }) => result === 'done')
  if (!written)
    return [problems.length > 0 ? 'nothing was changed: there are mistakes' : 'dry run: nothing was changed']
  return [
    ...(changes.some(({ clientSecret }) => clientSecret !== undefined) ? ['(secrets are shown this once)'] : []),
    `applied: ${(['create', 'change', 'remove', 'unchanged'] as const).map((action) => `${counted(done, action)} ${DONE[action]}`).join(', ')}` +
      (refused.length + failed > 0 ? `, ${refused.length + failed} refused` : ''),
  ]
}

/** The same for programs. */
export const forPrograms = ({ changes, ...applied }: Applied) => ({
  written: applied.written,
  problems: applied.problems,
  refused: applied.refused,
  kept: applied.kept,
  changes: changes.map(({ clientSecret, fields, ...change }) => ({
    ...change,
    keys: fields.map(({ field }) => field),
    fields,
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
  })),
})
