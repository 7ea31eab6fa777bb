/**
 * One probe: the right sign-in first, which teaches by what somebody is seen to be in; then the cases, each in a browser of its
 * own; then the right one again, without which nothing that was refused means anything.
 */
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Outbound } from '#http'
import type { Keys } from '#keys'
import type { Storage } from '#storage'
import { type Browser, createBrowser, type Stop } from './browser.ts'
import { type Check, learn, whoIsIn } from './judge.ts'
import { type Bench, caseReport, type Desk, type Kind, type Seeing, Stuck, settled } from './kind.ts'
import { KINDS } from './kinds/list.ts'
import { listen } from './listener.ts'
import { openMaterial } from './material.ts'
import { type CaseReport, gradeOf, type ProbedProtocol, type ProbeReport } from './report.ts'

export interface ProbeOptions {
  readonly app: App
  readonly protocol: ProbedProtocol
  /** Where the sign-in of the test copy begins. Nothing is sent to any other origin, but to those of the next two. */
  readonly target: URL
  /** Of an app behind a proxy: the address that people use. */
  readonly through?: URL | undefined
  /** Only there for somebody who is in; on the target. Without it one is looked for. */
  readonly check?: URL | undefined
  readonly listen: { readonly host: string; readonly port: number }
  /** Origin at which the test copy reaches the probe; by default where it listens. */
  readonly public?: string | undefined
  readonly outbound: Outbound
  readonly storage: Storage
  readonly keys: Pick<Keys, 'seal' | 'unseal' | 'derive'>
  readonly clock: Clock
}

export interface Probe {
  /** What an administrator enters at the test copy. */
  readonly values: Readonly<Record<string, string>>
  /** `done`: 0 to 1. */
  run(done?: (share: number) => void): Promise<ProbeReport>
  close(): Promise<void>
}

/** From here on the test copy can ask the probe. Throws Refusal `input-invalid` where nothing can listen there. */
export async function openProbe(options: ProbeOptions): Promise<Probe> {
  const { app, target, through, outbound, clock } = options
  const material = await openMaterial(options)
  let bench: Bench | undefined
  const listener = await listen(options.listen, async (asked) => bench?.answer(asked))
  const ours = options.public ?? `http://${options.listen.host}:${listener.port}`
  const desk: Desk = {
    app,
    target,
    through,
    ours,
    clock,
    material,
    browser: (headers = {}) => createBrowser({ outbound, target, ours, headers }),
    browserThrough: (headers = {}) => createBrowser({ outbound, target: through ?? target, ours, headers }),
  }
  const kind = KINDS[options.protocol]
  try {
    const opened = await kind.open(desk)
    bench = opened
    return {
      values: opened.values,
      run: (done = () => {}) => runOn(kind, opened, desk, options, done),
      close: () => listener.close(),
    }
  } catch (error) {
    await listener.close()
    throw error
  }
}

async function runOn(
  kind: Kind<Bench>,
  bench: Bench,
  desk: Desk,
  { app, protocol, target, check: wanted }: ProbeOptions,
  done: (share: number) => void,
): Promise<ProbeReport> {
  const about = { app: app.id, protocol, target: target.href, at: desk.clock.now() }
  let check: Check | undefined
  let cause: Stuck | undefined
  try {
    check = await baseline(kind, bench, desk, wanted)
  } catch (error) {
    if (!(error instanceof Stuck)) throw error
    cause = error
  }
  if (!check) {
    const said = cause ?? new Stuck('not-distinguishable', NOT_TOLD)
    const cases = (await kind.withoutSignIn?.(bench, said)) ?? []
    return { ...about, grade: gradeOf(cases), cause: { code: said.code, say: said.message }, cases }
  }
  const see: Seeing = (browser: Browser) => whoIsIn(browser, check)
  const cases: CaseReport[] = []
  for (const [index, one] of kind.cases.entries()) {
    done((index + 1) / (kind.cases.length + 1))
    cases.push(await caseReport(one, bench, see))
  }
  const told = await settled(async () => {
    const { browser } = await kind.signIn(bench)
    return { result: (await see(browser)).who === 'nobody' ? 'inconclusive' : 'refused' }
  })
  const all = told.result === 'refused' ? cases : cases.map(doubted)
  return { ...about, grade: gradeOf(all), check: { address: check.address.href, by: check.by }, cases: all }
}

const NOT_TOLD =
  'no page tells somebody who has signed in from somebody who has not: give --check with an address that is only there after the sign-in, best one with the name of the person'

/** Throws `Stuck`. */
async function baseline(kind: Kind<Bench>, bench: Bench, desk: Desk, wanted: URL | undefined) {
  const { browser, landed } = await kind.signIn(bench)
  const addresses = wanted ? [wanted] : addressesAfter(landed, desk)
  return learn(addresses, browser, () => desk.browser())
}

/** Where the sign-in ended, the front page, where it began: each once. */
function addressesAfter(landed: Stop, { target }: Desk): URL[] {
  // the query may be that of the answer, which counts once
  const ended = landed.end === 'page' ? [new URL(landed.url.pathname, target)] : []
  const all = [...ended, new URL('/', target), target]
  return all.filter((one, i) => all.findIndex(({ href }) => href === one.href) === i)
}

/** Whoever lets nobody in any more has refused nothing. */
const doubted = (one: CaseReport): CaseReport =>
  one.result === 'refused'
    ? { ...one, result: 'inconclusive', note: 'the right sign-in does not work any more after the cases' }
    : one
