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

/** Makes `NAME.pem` and `NAME.key`, an authority that another one has signed. `extensions` as in a file of OpenSSL, a line each. */
export async function makeIntermediate(
  folder: string,
  name: string,
  authority: string,
  extensions: readonly string[] = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'],
): Promise<void> {
  const asked = ['-subj', `/CN=${name} authority`, '-keyout', `${name}.key`, '-out', `${name}.csr`]
  await openssl(folder, 'req', ...KEY, ...asked)
  writeFileSync(join(folder, `${name}.cnf`), `subjectKeyIdentifier=hash\n${extensions.join('\n')}\n`)
  const signed = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2']
  const files = ['-in', `${name}.csr`, '-extfile', `${name}.cnf`, '-out', `${name}.pem`]
  await openssl(folder, 'x509', '-req', ...files, ...signed)
}

/** Makes `FILE.crl`, which holds for a day unless said otherwise: what the authority has taken back. */
export async function makeRevocationList(
  folder: string,
  file: string,
  {
    authority,
    revoked = [],
    extensions,
    days = 1,
  }: { authority: string; revoked?: readonly string[]; extensions?: string; days?: number },
): Promise<void> {
  const config = `[ca]\ndefault_ca=d\n[d]\ndatabase=${file}.index\ncrlnumber=${file}.number\ndefault_md=sha256\n[x]\n${extensions ?? ''}\n`
  writeFileSync(join(folder, `${file}.cnf`), config)
  writeFileSync(join(folder, `${file}.index`), '')
  writeFileSync(join(folder, `${file}.number`), '01\n')
  const ca = ['-config', `${file}.cnf`, '-cert', `${authority}.pem`, '-keyfile', `${authority}.key`]
  for (const name of revoked) await openssl(folder, 'ca', ...ca, '-revoke', `${name}.pem`)
  const more = extensions === undefined ? [] : ['-crlexts', 'x']
  await openssl(folder, 'ca', ...ca, '-gencrl', '-crldays', String(days), ...more, '-out', `${file}.crl`)
}
