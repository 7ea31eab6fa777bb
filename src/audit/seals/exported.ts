/** Checks a file that `audit export` wrote, with nothing but the file. */

import { eventText } from './event-ledger.ts'
import { chained } from './exporting.ts'
import { createSealReader, createTextsHash, fingerprintOf, type SignedSeal, sealHash } from './seal.ts'

export interface ExportChecked {
  /** The first thing that does not fit, in a sentence; undefined where everything does. */
  readonly wrong:
    | { readonly line: number; readonly seal?: number; readonly event?: number; readonly why: string }
    | undefined
  readonly issuer: string | undefined
  /** By it one sees whose export it is: anybody can make one with a key of their own. */
  readonly fingerprint: string | undefined
  readonly seals: number
  readonly events: number
  readonly receipts: number
}

const CHAIN = /,"chain":"([\w-]{22})"\}$/
type Said = Record<string, unknown> & { kind?: unknown }

const COLUMNS = ['actor', 'subject', 'app', 'session', 'receipt', 'factor', 'reason', 'count', 'device'] as const
function textOf({ id, at, event, key, ...said }: Said): string {
  const rest = Object.fromEntries(COLUMNS.map((name) => [name, said[name] ?? null]))
  return eventText({ id, at, event, key_id: key ?? null, ...rest } as Parameters<typeof eventText>[0])
}

function parsed(line: string): Said | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Said) : undefined
  } catch {
    return undefined
  }
}

/** `lines` without their ends. A file that was cut has no last line, which says so. */
export async function checkExport(lines: AsyncIterable<string>): Promise<ExportChecked> {
  const counts = { seals: 0, events: 0, receipts: 0 }
  let [number, link] = [0, '']
  let reader: ReturnType<typeof createSealReader> | undefined
  let issuer: string | undefined
  let fingerprint: string | undefined
  let last: { readonly number: number; readonly hash: string } = { number: 0, hash: '' }
  let texts = createTextsHash()
  let since = { events: 0, receipts: 0 }
  let ended = false
  const done = (why?: string, about: { seal?: number; event?: number } = {}): ExportChecked => ({
    wrong: why === undefined ? undefined : { line: number, ...about, why },
    ...{ issuer, fingerprint, ...counts },
  })
  for await (const line of lines) {
    if (line === '') continue
    number++
    if (ended) return done('stands behind the end')
    const said = parsed(line)
    if (!said) return done('is no JSON')
    const event = said.kind === 'event' && typeof said['id'] === 'number' ? { event: said['id'] } : {}
    if (said.kind === 'end') {
      const { lines: count, chain, signature } = said
      if (!reader) return done('there is no beginning')
      const signed = JSON.stringify(['portico audit export 1', count, chain])
      if (chain !== link || count !== number - 1 || !reader.isText(signed, String(signature)))
        return done('the end does not belong to these lines, or is not signed by the key of the beginning')
      ended = true
      continue
    }
    const link22 = CHAIN.exec(line)?.[1]
    link = chained(link, line.replace(CHAIN, '}'))
    if (link22 !== link) return done('was changed, or a line before it was taken out or put in', event)
    if (number === 1) {
      if (said.kind !== 'export' || said['format'] !== 1) return done('is not the beginning of an export')
      try {
        reader = createSealReader(String(said['key']))
      } catch {
        return done('has no key')
      }
      fingerprint = fingerprintOf(String(said['key']))
      issuer = String(said['issuer'])
      last = { number: Number(said['after']), hash: String(said['previous']) }
    } else if (said.kind === 'event') {
      counts.events++
      since.events++
      texts.add(textOf(said))
    } else if (said.kind === 'receipt') {
      counts.receipts++
      since.receipts++
    } else if (said.kind === 'seal') {
      const { kind: _, chain: __, ...rest } = said
      const seal = rest as unknown as SignedSeal
      const about = { seal: seal.number }
      if (!reader!.isSealed(seal)) return done('the seal is not signed by the key of the beginning', about)
      if (seal.number !== last.number + 1 || seal.previous !== last.hash)
        return done('the seal does not follow the one before', about)
      // events that were over before the export was made are not in it, and their seals are
      if (since.events > 0 && (since.events !== seal.events || texts.end() !== seal.events_hash))
        return done('the events before this seal are not what was sealed', about)
      counts.seals++
      last = { number: seal.number, hash: sealHash(seal) }
      texts = createTextsHash()
      since = { events: 0, receipts: 0 }
    } else return done('says nothing that this version knows')
  }
  return ended ? done() : done('the end is missing: the file was cut')
}
