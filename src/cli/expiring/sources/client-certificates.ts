/** The certificate of the listener for programs, and the authorities of their certificates. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { certificateEnds } from '#keys'
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

export const clientCertificates: Source = {
  name: 'client-certificates',
  async find(_house, { settings, folder }) {
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
    return { expiring, unknown }
  },
}

function endsOf(file: string): ReturnType<typeof certificateEnds> {
  try {
    return certificateEnds(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}
