/** Apache with mod_auth_mellon, a SAML service provider that is not ours: a copy of its own on a free port, in a temporary folder. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Running, runApache } from './apache.ts'
import { makeKeys } from './saml-provider.ts'

export interface Mellon {
  readonly origin: string
  readonly entityId: string
  readonly metadataUrl: string
  /** The path that only people who signed in see: prints what Apache knows of them. */
  readonly protectedPath: string
  /** What Apache wrote into its error log. */
  log(): string
  close(): Promise<void>
}

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'include', 'setenvif', 'auth_mellon']
const PAGE = ['MELLON_NAME_ID', 'MELLON_mail', 'MELLON_groups', 'MELLON_IDP']
  .map((name) => `<p>${name}: <!--#echo var="${name}" --></p>`)
  .join('')

/** `idpMetadata`: ours, as an administrator puts it there. */
export async function startMellon(options: {
  readonly port: number
  readonly idpMetadata: string
  /** More directives, such as `MellonAuthnContextClassRef`. */
  readonly directives?: readonly string[]
}): Promise<Mellon> {
  const { port, idpMetadata, directives = [] } = options
  const folder = mkdtempSync(join(tmpdir(), 'portico-mellon-'))
  chmodSync(folder, 0o755) // Apache's own user reads it
  mkdirSync(join(folder, 'pages/desk'), { recursive: true })
  writeFileSync(join(folder, 'pages/desk/index.shtml'), `<h1>Mellon</h1>${PAGE}\n`)
  writeFileSync(join(folder, 'pages/bye.html'), '<h1>Bye</h1>\n')
  const keys = await makeKeys()
  for (const [name, text] of [
    ['sp.key', keys.key],
    ['sp.pem', keys.certificate],
    ['idp.xml', idpMetadata],
  ] as const) {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), 0o644)
  }
  const configuration = `# over http no browser keeps the SameSite=None of its first cookie
SetEnvIf Request_URI . MELLON_DISABLE_SAMESITE=1
<Directory ${folder}/pages>
  Require all granted
  Options +Includes
</Directory>
<Location />
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSPPrivateKeyFile ${folder}/sp.key
  MellonSPCertFile ${folder}/sp.pem
  MellonIdPMetadataFile ${folder}/idp.xml
  MellonSecureCookie Off
  MellonCookieSameSite Lax
  MellonSignatureMethod rsa-sha256
${directives.map((line) => `  ${line}\n`).join('')}</Location>
<Location /desk>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
  SetOutputFilter INCLUDES
</Location>
`
  const running: Running = await runApache({ folder, port, modules: MODULES, configuration })
  const origin = `http://localhost:${port}`
  return {
    origin,
    entityId: `${origin}/mellon/metadata`,
    metadataUrl: `${origin}/mellon/metadata`,
    protectedPath: '/desk/index.shtml',
    log: running.log,
    async close() {
      await running.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
