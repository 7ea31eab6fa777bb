/**
 * The trail as lines of JSON, for a long time or for another machine. Each line ends with the hash of everything up to it, seals stand
 * behind what they cover, and the last line is signed: so a file can be checked without the database (`exported.ts`).
 */

import type { Clock, Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Chain } from './chain.ts'
import type { createEventLedger } from './event-ledger.ts'
import { type SealKeys, type SignedSeal, sealHash } from './seal.ts'

export interface ExportOptions {
  readonly issuer: string
  /** Seals that have something in this span are exported whole, so that each can be checked. */
  readonly since?: Instant | undefined
  readonly until?: Instant | undefined
  /** The receipts with `after < id <= through`, as they are to stand in the file. */
  receipts(after: number, through: number): AsyncIterable<object>
}

interface Rooms {
  readonly clock: Clock
  readonly keys: SealKeys
  readonly chain: Chain
  readonly events: ReturnType<typeof createEventLedger>
}

const PAGE = 100

/** What the next line is chained by. */
export const chained = (before: string, body: string): string => sha256(`${before}\n${body}`).slice(0, 22)

export async function* exportTrail(
  { clock, keys, chain, events }: Rooms,
  { issuer, since = 0, until = Number.MAX_SAFE_INTEGER, receipts }: ExportOptions,
): AsyncGenerator<string> {
  let link = ''
  let lines = 0
  const line = (value: object): string => {
    const body = JSON.stringify(value)
    link = chained(link, body)
    lines++
    return `${body.slice(0, -1)},"chain":"${link}"}`
  }
  async function* eventLines(after: number, through: number) {
    for (let at = after; ; ) {
      const page = await events.stored(at, through, PAGE)
      if (page.length === 0) return
      for (const { key_id, ...row } of page) {
        const present = Object.entries({ ...row, key: key_id }).filter(([, value]) => value !== null)
        yield line({ kind: 'event', ...Object.fromEntries(present) })
      }
      at = page.at(-1)!.id
    }
  }
  /** Nothing of it is in the span: seals are made in the order of time, their rows nearly so. */
  const isOutside = (seal: SignedSeal, before: SignedSeal | undefined) =>
    seal.latest < since || (before !== undefined && before.at >= until)

  let before: SignedSeal | undefined
  let begun = false
  const header = (after: SignedSeal | undefined) =>
    line({
      ...{ kind: 'export', format: 1, issuer, at: clock.now(), key: keys.publicKey },
      after: after?.number ?? 0,
      previous: after ? sealHash(after) : '',
    })
  const { last } = await chain.head()
  for (let at = 0; last && at < last.number; ) {
    const page = (await chain.seals(at, PAGE)).filter(({ number }) => number <= last.number)
    if (page.length === 0) break
    for (const seal of page) {
      if (!isOutside(seal, before)) {
        if (!begun) yield header(before)
        begun = true
        yield* eventLines(before?.last_event ?? 0, seal.last_event)
        for await (const receipt of receipts(before?.last_receipt ?? 0, seal.last_receipt))
          yield line({ kind: 'receipt', ...receipt })
        yield line({ kind: 'seal', ...seal })
      } else if (begun) {
        at = last.number
        break
      }
      before = seal
      at = seal.number
    }
  }
  if (!begun) yield header(before)
  // what is not sealed yet stands under the last line's signature only
  if (before?.number === last?.number && (last?.at ?? 0) < until) {
    yield* eventLines(last?.last_event ?? 0, Number.MAX_SAFE_INTEGER)
    for await (const receipt of receipts(last?.last_receipt ?? 0, Number.MAX_SAFE_INTEGER))
      yield line({ kind: 'receipt', ...receipt })
  }
  const end = { kind: 'end', lines, chain: link }
  yield JSON.stringify({ ...end, signature: keys.signText(JSON.stringify(['portico audit export 1', lines, link])) })
}
