/** How a probe is printed, now or from what was kept. */
import type { KeptProbe } from '#catalog'
import type { CaseReport, ProbeReport } from '#probe'

/** For programs: the moment as people write it. */
export type ToldReport = Omit<ProbeReport, 'at'> & { readonly at: string }

/** The one writer of it is `apps probe`. */
export const keptReport = ({ at, report }: KeptProbe): ToldReport => ({
  ...(report as ProbeReport),
  at: new Date(at).toISOString(),
})

const ORDER = ['accepted', 'inconclusive', 'not-applicable', 'refused']

/** What was accepted first; what was refused at the end. */
export function reportLines({ protocol, target, at, grade, check, cause, cases }: ToldReport): string[] {
  const sorted = [...cases].sort((a, b) => ORDER.indexOf(a.result) - ORDER.indexOf(b.result))
  const width = Math.max(0, ...cases.map(({ code }) => code.length))
  const line = ({ code, result, severity, section, note }: CaseReport) =>
    `${result.padEnd(14)}  ${severity.padEnd(6)}  ${code.padEnd(width)}  ${section}${note === undefined ? '' : `: ${note}`}`
  const seen =
    check && `${check.by === 'person' ? 'the name of the person' : 'what only who is in can open'} at ${check.address}`
  const count = (result: CaseReport['result']) => cases.filter((one) => one.result === result).length
  return [
    `${grade}  ${protocol}  ${target}  ${at}`,
    ...(seen === undefined ? [] : [`told by ${seen}`]),
    ...(cause ? [`${cause.code}: ${cause.say}`] : []),
    ...sorted.map(line),
    `${count('refused')} refused, ${count('accepted')} accepted, ${count('inconclusive')} inconclusive, ${count('not-applicable')} not applicable`,
  ]
}

/** One line for `apps show`. */
export const lastProbe = (kept: readonly KeptProbe[]): string =>
  kept.map(({ protocol, grade, at }) => `${protocol} ${grade} ${new Date(at).toISOString()}`).join(', ') || 'never'
