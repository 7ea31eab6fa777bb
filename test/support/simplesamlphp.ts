/** SimpleSAMLphp as a SAML app, a copy of its own configuration on PHP's server, in a temporary folder, on a free port. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, ended } from './processes.ts'
import { makeKeys } from './saml-provider.ts'

export interface SimpleSamlPhp {
  readonly origin: string
  readonly metadataUrl: string
  /** Asks whoever is not known to sign on, and says who they are. */
  readonly protectedPath: string
  readonly logoutPath: string
  log(): string
  close(): Promise<void>
}

const WWW = '/usr/share/simplesamlphp/www'
const php = (value: object): string =>
  `<?php\n$config = json_decode('${JSON.stringify(value).replace(/['\\]/g, '\\$&')}', true);\n`

export async function startSimpleSamlPhp(options: {
  readonly port: number
  readonly idp: string
  readonly idpMetadata: string
}): Promise<SimpleSamlPhp> {
  const { port, idp, idpMetadata } = options
  const folder = mkdtempSync(join(tmpdir(), 'portico-simplesaml-'))
  const keys = await makeKeys()
  for (const name of ['config', 'log', 'tmp']) mkdirSync(join(folder, name))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('sp.key', keys.key)
  write('sp.pem', keys.certificate)
  write('idp.xml', idpMetadata)
  const settings = {
    baseurlpath: `http://localhost:${port}/`,
    certdir: `${folder}/`,
    loggingdir: `${folder}/log/`,
    datadir: `${folder}/`,
    tempdir: `${folder}/tmp`,
    secretsalt: 'of the tests only',
    'auth.adminpassword': 'of the tests only',
    technicalcontact_email: 'tests@kestrel.example',
    timezone: 'UTC',
    showerrors: true,
    errorreporting: false,
    'logging.level': 6,
    'logging.handler': 'file',
    'store.type': 'sql',
    'store.sql.dsn': `sqlite:${folder}/store.sq3`,
    'session.cookie.secure': false,
    'session.cookie.name': 'SimpleSAMLSessionID',
    'session.authtoken.cookiename': 'SimpleSAMLAuthToken',
    'enable.saml20-idp': false,
    'language.default': 'en',
    'theme.use': 'default',
    'metadata.sources': [{ type: 'xml', file: `${folder}/idp.xml` }],
  }
  write('config/config.php', php(settings))
  // JSON has no array with numbered and named entries, as PHP wants it there
  const sp = {
    idp,
    privatekey: 'sp.key',
    certificate: 'sp.pem',
    'sign.authnrequest': true,
    'sign.logout': true,
    'redirect.sign': true,
    'signature.algorithm': 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    NameIDPolicy: { Format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', AllowCreate: true },
  }
  write('config/authsources.php', `${php(sp)}$config = ['default-sp' => array_merge(['saml:SP'], $config)];\n`)
  const child = spawn('/usr/bin/php', ['-S', `127.0.0.1:${port}`, '-t', WWW], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], SIMPLESAMLPHP_CONFIG_DIR: join(folder, 'config') },
  })
  const log = () => {
    try {
      return readFileSync(join(folder, 'log/simplesamlphp.log'), 'utf8')
    } catch {
      return ''
    }
  }
  const close = async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  if (!(await answers(port, child))) {
    await close()
    throw new Error('SimpleSAMLphp did not start')
  }
  const origin = `http://localhost:${port}`
  return {
    origin,
    metadataUrl: `${origin}/module.php/saml/sp/metadata.php/default-sp`,
    protectedPath: '/module.php/core/authenticate.php?as=default-sp',
    logoutPath: '/module.php/core/authenticate.php?as=default-sp&logout',
    log,
    close,
  }
}
