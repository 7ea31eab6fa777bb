/** Certificates for servers of a test, from an authority of their own, made by OpenSSL. */
import { execFile } from 'node:child_process'
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
