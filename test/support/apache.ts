/** Apache with a module that signs people in somewhere else: a copy of its own on a free port, in a temporary folder. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, ended } from './processes.ts'

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'include', 'auth_openidc']

export interface Apache {
  readonly origin: string
  /** The path that only people who signed in see: prints what Apache knows of them. */
  readonly protectedPath: string
  /** What Apache wrote into its error log. */
  log(): string
  close(): Promise<void>
}

export const redirectUri = (port: number): string => `http://localhost:${port}/desk/oidc`

export async function startApache(options: {
  readonly port: number
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
}): Promise<Apache> {
  const { port } = options
  const folder = mkdtempSync(join(tmpdir(), 'portico-apache-'))
  chmodSync(folder, 0o755) // Apache's own user reads it
  mkdirSync(join(folder, 'pages/desk'), { recursive: true })
  writeFileSync(
    join(folder, 'pages/desk/index.shtml'),
    '<h1>Desk</h1><p>user: <!--#echo var="REMOTE_USER" --></p><p>name: <!--#echo var="OIDC_CLAIM_name" --></p><p>acr: <!--#echo var="OIDC_CLAIM_acr" --></p>\n',
  )
  writeFileSync(join(folder, 'pages/bye.html'), '<h1>Bye</h1>\n')
  const running = await runApache({ folder, port, modules: MODULES, configuration: configuration(folder, options) })
  return {
    origin: `http://localhost:${port}`,
    protectedPath: '/desk/index.shtml',
    log: running.log,
    async close() {
      await running.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface Running {
  /** What Apache wrote into its error log. */
  log(): string
  close(): Promise<void>
}

/** `folder` holds `pages`; it is the caller's, and goes where Apache does not start. */
export async function runApache(options: {
  readonly folder: string
  readonly port: number
  /** Without `mod_`. */
  readonly modules: readonly string[]
  readonly configuration: string
}): Promise<Running> {
  const { folder, port } = options
  writeFileSync(join(folder, 'apache.conf'), surroundings(options) + options.configuration, { mode: 0o600 })
  const child = spawn('/usr/sbin/apache2', ['-f', join(folder, 'apache.conf'), '-DFOREGROUND'], { stdio: 'ignore' })
  const log = () => {
    try {
      return readFileSync(join(folder, 'error.log'), 'utf8')
    } catch {
      return ''
    }
  }
  if (!(await answers(port, child))) {
    const said = log()
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`apache2 did not start: ${said}`)
  }
  return { log, close: () => ended(child) }
}

function surroundings({ folder, port, modules }: Parameters<typeof runApache>[0]): string {
  const loaded = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
  const own = modules.filter((name) => name.startsWith('auth_')).map((name) => ` ${name}:info`)
  // started by root, Apache gives its rights away; started by anybody else it has none to give
  const user = process.getuid?.() === 0 ? 'User www-data\nGroup www-data\n' : ''
  return `ServerRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
LogLevel warn${own.join('')}
ServerName localhost
Listen 127.0.0.1:${port}
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
${loaded.join('\n')}
${user}
DocumentRoot ${folder}/pages
`
}

function configuration(folder: string, options: Parameters<typeof startApache>[0]): string {
  const { port, issuer, clientId, clientSecret } = options
  return `<Directory ${folder}/pages>
  Require all granted
  Options +Includes
</Directory>

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCSSLValidateServer Off
OIDCClientID ${clientId}
OIDCClientSecret ${clientSecret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRedirectURI ${redirectUri(port)}
OIDCCryptoPassphrase ${randomBytes(24).toString('hex')}
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
<Location /desk>
  AuthType openid-connect
  Require valid-user
  SetOutputFilter INCLUDES
  # by itself it sends nobody away whose client is no browser (Sec-Fetch-Mode), and the test's is none
  OIDCUnAuthAction auth true
</Location>
`
}
