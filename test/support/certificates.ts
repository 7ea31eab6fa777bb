/** Certificates for servers of a test, from an authority of their own, made by OpenSSL. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const openssl = (folder: string, ...args: string[]) => run('openssl', args, { cwd: folder })
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

/** Makes `NAME.pem` and `NAME.key` in the folder. */
export async function makeAuthority(folder: string, name: string): Promise<void> {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
  await openssl(folder, 'req', '-x509', ...KEY, '-subj', `/CN=${name} authority`, ...files)
}

/**
 * Makes `server.pem` and `server.key`, and the authority that signed it, `ca.pem`.
 * @param names as in a subjectAltName: `IP:127.0.0.1,DNS:localhost`
 */
export async function makeServerCertificate(folder: string, names: string): Promise<void> {
  await makeAuthority(folder, 'ca')
  const asked = ['-addext', `subjectAltName=${names}`, '-keyout', 'server.key', '-out', 'server.csr']
  await openssl(folder, 'req', ...KEY, '-subj', '/CN=server', ...asked)
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '2']
  await openssl(folder, 'x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem')
}

export interface ClientCertificateOptions {
  /** As `openssl req -subj` wants it; `/CN=NAME` unless given. */
  readonly subject?: string
  /** As in a subjectAltName. */
  readonly names?: string
  /** The authority that signs it; its own key unless given. */
  readonly authority?: string
  /** More extensions, like `extendedKeyUsage=serverAuth`. */
  readonly extensions?: readonly string[]
  /** The certificate does not say which key of the authority signed it. */
  readonly unlinked?: boolean
}

/** Makes `NAME.pem` and `NAME.key`, for a client. */
export async function makeClientCertificate(
  folder: string,
  name: string,
  { subject = `/CN=${name}`, names, authority, extensions = [], unlinked = false }: ClientCertificateOptions = {},
): Promise<void> {
  const more = [...(names ? [`subjectAltName=${names}`] : []), ...extensions].flatMap((one) => ['-addext', one])
  const asked = ['-subj', subject, ...more, '-keyout', `${name}.key`, '-out', `${name}.${authority ? 'csr' : 'pem'}`]
  await openssl(folder, 'req', ...(authority ? [] : ['-x509']), ...KEY, ...asked)
  if (authority === undefined) return
  const signed = [
    '-CA',
    `${authority}.pem`,
    '-CAkey',
    `${authority}.key`,
    '-CAcreateserial',
    '-copy_extensions',
    'copy',
  ]
  if (unlinked) writeFileSync(join(folder, 'unlinked.cnf'), 'authorityKeyIdentifier=none\nsubjectKeyIdentifier=none\n')
  const loose = unlinked ? ['-extfile', 'unlinked.cnf'] : []
  await openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signed, ...loose, '-days', '2', '-out', `${name}.pem`)
}
