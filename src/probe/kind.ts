/** What every kind of probe has in common: a bench on which cases are tried, one after another. */
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Browser, Stop } from './browser.ts'
import type { Who } from './judge.ts'
import type { Answered, Asked } from './listener.ts'
import type { Material } from './material.ts'
import type { CaseReport, ProbedProtocol, Result, Severity } from './report.ts'

/** The right sign-in could not be followed to its end; `code` names the cause. */
export class Stuck extends Error {
  readonly code: string
  constructor(code: string, say: string) {
    super(say)
    this.code = code
  }
}

/** What a kind is given. */
export interface Desk {
  readonly app: App
  /** Where the sign-in of the test copy begins. */
  readonly target: URL
  /** Of an app behind a proxy: the address that people use. */
  readonly through?: URL | undefined
  /** The probe's own origin. */
  readonly ours: string
  readonly clock: Clock
  readonly material: Material
  /** Without cookies; it leaves the target for nobody. `headers` are sent with every request. */
  browser(headers?: Readonly<Record<string, string>>): Browser
  /** The same towards `through`. */
  browserThrough(headers?: Readonly<Record<string, string>>): Browser
}

export interface Bench {
  /** What an administrator enters at the test copy. */
  readonly values: Readonly<Record<string, string>>
  /** Of the test copy's own requests. */
  answer(asked: Asked): Promise<Answered | undefined>
}

export interface Trial {
  readonly result: Result
  readonly note?: string | undefined
}

/** Who is in, by the check that the right sign-in taught. */
export type Seeing = (browser: Browser) => Promise<{ who: Who; text: string }>

export interface ProbeCase<B> {
  /** Kebab-case, stable; docs/probe.md lists it. */
  readonly code: string
  readonly section: string
  readonly severity: Severity
  run(bench: B, see: Seeing): Promise<Trial>
}

export interface Kind<B extends Bench> {
  readonly protocol: ProbedProtocol
  open(desk: Desk): Promise<B>
  /** Everything right. Throws `Stuck`. */
  signIn(bench: B): Promise<{ browser: Browser; landed: Stop }>
  readonly cases: readonly ProbeCase<B>[]
  /** What can be said where the right sign-in failed; by default nothing. */
  withoutSignIn?(bench: B, cause: Stuck): Promise<readonly CaseReport[]>
}

/** By whether anybody is in. */
export const trialOf = (who: Who): Trial => ({ result: who === 'nobody' ? 'refused' : 'accepted' })

/** An address of the registration, as the test copy has it: the same path, on its host. */
export const onTarget = (address: string, { target }: Pick<Desk, 'target'>): URL => {
  const { pathname, search } = new URL(address)
  return new URL(pathname + search, target)
}

/** What a stop means that should have been at an address of the probe. */
export function stuckAt(stop: Stop, wanted: string): Stuck {
  switch (stop.end) {
    case 'failed':
      return new Stuck('target-unreachable', `${stop.url.href} does not answer: ${stop.why}`)
    case 'elsewhere':
      return new Stuck('left-target', `the app leads to ${stop.url.origin}, which was not named and is not asked`)
    case 'ours':
      return new Stuck('start-elsewhere', `the app came to ${stop.url.pathname} and not to ${wanted}`)
    case 'page':
      return new Stuck(
        'start-no-sign-in',
        `${stop.url.href} (${stop.status}) does not lead to the probe: give the address where the sign-in begins, and see that the test copy has the values`,
      )
  }
}

/** Runs the case; where it cannot come so far, that is the result. */
export async function caseReport<B>(one: ProbeCase<B>, bench: B, see: Seeing): Promise<CaseReport> {
  const { code, section, severity } = one
  const { result, note } = await settled(() => one.run(bench, see))
  return { code, section, severity, result, ...(note === undefined ? {} : { note }) }
}

export async function settled(run: () => Promise<Trial>): Promise<Trial> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof Stuck)) throw error
    return { result: 'inconclusive', note: `${error.code}: ${error.message}` }
  }
}
