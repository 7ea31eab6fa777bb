/** Which errors mean that Redis cannot serve, in plain words; all others are bugs of ours. */
import { Refusal } from '#core/refusal'

const OUT_OF_MEMORY = /\bOOM\b/

/** How an answer begins that was tried on the wrong server or at the wrong time: what is said, and whether to connect anew. */
const ANSWERS: readonly (readonly [begins: RegExp, why: string, elsewhere: boolean])[] = Object.freeze([
  [/\bREADONLY\b/, 'this Redis is a replica', true],
  [/^(MOVED|ASK|TRYAGAIN|CROSSSLOT)\b/, 'the cluster is moving what we keep to another node', true],
  [/^CLUSTERDOWN\b/, 'the cluster is down', true],
  [/^MASTERDOWN\b/, 'the primary is down', true],
  [/^UNBLOCKED\b/, 'the primary has become a replica', true],
  [/^LOADING\b/, 'Redis is loading its data', true],
  [OUT_OF_MEMORY, 'Redis is full', false],
  [/\bMISCONF\b/, 'Redis cannot write to its disk', false],
  [/^NOREPLICAS\b/, 'Redis has too few replicas', false],
  [/^BUSY\b/, 'Redis is busy with a script of somebody else', false],
  [/^(NOAUTH|WRONGPASS|ERR AUTH)\b/, 'Redis does not accept our user name and password', false],
  [/^NOPERM\b/, 'Redis does not allow our user what is needed', false],
  [/^ERR max number of clients/, 'Redis has too many connections', false],
])

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** An answer of Redis, not something that happened on the way to it. */
export const isAnswer = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'

const matching = (error: unknown) => ANSWERS.find(([begins]) => begins.test(messageOf(error)))

export const isOutOfMemory = (error: unknown): boolean => isAnswer(error) && OUT_OF_MEMORY.test(messageOf(error))

/** Whether another server, or this one some time later, would have answered. */
export const isElsewhere = (error: unknown): boolean => isAnswer(error) && matching(error)?.[2] === true

/** Whether it stays so until somebody changes settings: a certificate that nobody vouches for, a wrong password. */
export const isForGood = (error: unknown): boolean =>
  isAnswer(error)
    ? /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH)\b/.test(messageOf(error))
    : /CERT|SIGN/.test((error as NodeJS.ErrnoException).code ?? '')

/** Scripts are not kept over a restart and not handed to replicas. */
export const isUnknownScript = (error: unknown): boolean => isAnswer(error) && /^NOSCRIPT\b/.test(messageOf(error))

/** What is wrong on the way to Redis, for the operator: codes of the system, or what the library says, without addresses. */
export function whyUnreachable(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (isAnswer(error)) return matching(error)?.[1] ?? 'Redis answers with an error'
  if (code !== undefined) return `Redis cannot be reached (${code})`
  if (/sentinel/i.test(messageOf(error))) return 'no sentinel says which Redis is the primary'
  return 'Redis cannot be reached'
}

/** Turns what means "Redis cannot serve" into a refusal; what is wrong with a script of ours stays what it is. */
export function translated(error: unknown): unknown {
  if (error instanceof Refusal || (isAnswer(error) && !matching(error))) return error
  return new Refusal('storage-unavailable', whyUnreachable(error), { cause: error })
}
