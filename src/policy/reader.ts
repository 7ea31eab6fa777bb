/** Reading the files of a policy folder, each text once: what was read before, with the same bytes, is not read again. */
import { setImmediate as others } from 'node:timers/promises'
import type { Problem } from '#config'
import { sha256Version } from '#core/digest'
import { listFiles, type PolicyFolder, readText } from './folder.ts'
import { asReading, type Reading, readDocument, type Sound } from './reading.ts'
import { readSites, type SiteFile } from './site-file.ts'

/** What was read, by the digest of its text. */
export interface Known {
  readonly documents: ReadonlyMap<string, Sound>
  readonly siteFiles: ReadonlyMap<string, SiteFile>
}

export const NOTHING_KNOWN: Known = Object.freeze({ documents: new Map(), siteFiles: new Map() })

export interface Reader {
  document(name: string): Reading | { readonly problem: Problem }
  /** Of a name that stands in a document, as from the top of the folder. */
  siteFile(
    name: string,
  ): { readonly sites?: SiteFile; readonly problems: readonly Problem[] } | { readonly problem: Problem }
  /** All that was read, whole or not. */
  readonly texts: ReadonlyMap<string, string>
  /** Of all of it. */
  version(): string
  readonly known: Known
}

export function createReader(from: PolicyFolder, label: string, before: Known): Reader {
  const texts = new Map<string, string>()
  const hashes: string[] = []
  const documents = new Map<string, Sound>()
  const siteFiles = new Map<string, SiteFile>()

  function open(name: string): { text: string; digest: string } | { problem: Problem } {
    const { text, problem } = readText(from, label, name)
    if (text === undefined) return { problem: problem! }
    const digest = sha256Version(text)
    texts.set(name, text)
    hashes.push(`${name} ${digest}`)
    return { text, digest }
  }

  return {
    texts,
    version: () => sha256Version(hashes.sort().join('\n')),
    known: { documents, siteFiles },

    document(name) {
      const opened = open(name)
      if ('problem' in opened) return opened
      const { text, digest } = opened
      const file = `${label}/${name}`
      const sound = documents.get(digest) ?? before.documents.get(digest)
      const reading = sound ? asReading(file, text, sound) : readDocument(file, text)
      if (reading.sound) documents.set(digest, reading.sound)
      return reading
    },

    siteFile(name) {
      const opened = open(name)
      if ('problem' in opened) return opened
      const { text, digest } = opened
      const known = siteFiles.get(digest) ?? before.siteFiles.get(digest)
      const { sites, problems } = known ? { sites: known, problems: [] } : readSites(`${label}/${name}`, text)
      if (sites) siteFiles.set(digest, sites)
      return { ...(sites && { sites }), problems }
    },
  }
}

/** As a document of that file names it; undefined where it leads out of the folder. */
export function siteFileName(document: string, written: string): string | undefined {
  if (written.startsWith('/') || written.includes('\\') || written.split('/').includes('..')) return undefined
  return [...document.split('/').slice(0, -1), ...written.split('/')].join('/')
}

/**
 * Reads what is not known yet, file by file, and lets others have a turn in between: thousands of rules take seconds. With what
 * it answers, `loadPolicies` reads nothing again. Problems are for that to tell.
 */
export async function readAhead(from: PolicyFolder, before: Known = NOTHING_KNOWN): Promise<Known> {
  const { files, label, root } = listFiles(from)
  const reader = createReader(root, label, before)
  for (const name of files) {
    const reading = reader.document(name)
    await others()
    if (!('networks' in reading)) continue
    for (const { file } of Object.values(reading.networks?.networks ?? {})) {
      const sites = file === undefined ? undefined : siteFileName(name, file)
      if (sites === undefined) continue
      reader.siteFile(sites)
      await others()
    }
  }
  return reader.known
}
