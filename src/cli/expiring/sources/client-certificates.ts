/** The certificate of the listener for programs, the authorities of their certificates, and what these have taken back. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { certificateEnds } from '#keys'
import { type RevocationList, revocationListsOf } from '#protocol/oidc'
import type { Expiry, Source, Unknown } from '../expiry.ts'

const FILES = {
  cert_file: {
    what: 'listener-certificate',
    say: (name: string) => `the certificate ${name} of the listener for programs ends, and they connect no more`,
    fix: 'put a new one and its key into `client_certificates.cert_file` and `key_file`; a running server takes them within a minute',
  },
  ca_file: {
    what: 'client-authority',
    say: (name: string) => `the authority ${name} ends, and no program with a certificate of it is let in`,
    fix: 'put its successor into `client_certificates.ca_file` beside it; a running server takes it within a minute',
  },
} as const

const LIST = 'revocation-list'
/** The part of its time that is left when somebody should have brought the next one: lists last a day or a month. */
const LATE = 1 / 4

export const clientCertificates: Source = {
  name: 'client-certificates',
  async find(_house, { clock, settings, folder }) {
    const expiring: Expiry[] = []
    const unknown: Unknown[] = []
    for (const [key, { what, say, fix }] of Object.entries(FILES)) {
      const file = settings.client_certificates?.[key as keyof typeof FILES]
      if (file === undefined) continue
      const ends = endsOf(resolve(folder, file))
      for (const { name, until } of ends) expiring.push({ what, of: undefined, at: until, say: say(name), fix })
      if (ends.length === 0)
        unknown.push({ what, of: file, say: `\`client_certificates.${key}\` cannot be read, or holds no certificate` })
    }
    const file = settings.client_certificates?.crl_file
    const lists = file === undefined ? [] : listsIn(resolve(folder, file))
    if (lists === undefined || (file !== undefined && lists.length === 0))
      unknown.push({
        what: LIST,
        of: file!,
        say: '`client_certificates.crl_file` cannot be read, or holds no list; a running server goes on with the one before',
      })
    for (const { name, from, until } of lastOfEach(lists ?? []))
      if (until - clock.now() <= (until - from) * LATE)
        expiring.push({
          what: LIST,
          of: undefined,
          at: until,
          say: `the revocation list of ${name} is over, and no program with a certificate of it is let in`,
          fix: 'fetch the next one into `client_certificates.crl_file`, and see whether what fetches it still runs; a running server takes it within a minute',
        })
    return { expiring, unknown }
  },
}

/** Of each authority the one that holds longest: as long as one holds, its clients come in. */
function lastOfEach(lists: readonly RevocationList[]): RevocationList[] {
  const last = new Map<string, RevocationList>()
  for (const list of lists.toSorted((a, b) => a.until - b.until)) last.set(list.issuer.toString('hex'), list)
  return [...last.values()]
}

function listsIn(file: string): readonly RevocationList[] | undefined {
  try {
    return revocationListsOf(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function endsOf(file: string): ReturnType<typeof certificateEnds> {
  try {
    return certificateEnds(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}
