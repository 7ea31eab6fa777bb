/** `partners kit ID`: a folder for a partner with settings, programs that try them out, and what to send back. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Api } from '#apis'
import type { App } from '#catalog'
import type { Context, Verb } from '../verb.ts'
import { endpointsOf, idOf } from './app-lines.ts'
import { type Kit, makesKey, openApiOf, readmeOf, wayOf } from './partner-kit-words.ts'

/** Files as they are; what differs between partners stands in `settings.env`, which they read. */
const TEMPLATES = join(import.meta.dirname, '../../../partner-kit')
const AS_THEY_ARE = ['smoke.sh', 'smoke.mjs', 'smoke.py', 'package.json']

/** Of all programs: a value in quotes on a line. INVARIANT: no value has a quote in it. */
function settingsOf(kit: Kit): string {
  const { app, wanted, issuer, tokenEndpoint, boundTo } = kit
  const [first] = wanted
  const way = wayOf(app)
  const certified = boundTo === 'certificate' || way.includes('tls_')
  const values = {
    ISSUER: issuer,
    TOKEN_ENDPOINT: tokenEndpoint,
    CLIENT_ID: app.id,
    AUTH_METHOD: way,
    RESOURCE: first!.api.audience,
    SCOPE: first!.scopes.join(' '),
    CLIENT_SECRET: '',
    TOKEN_FILE: way === 'federated' ? '/run/token' : '',
    CERTIFICATE: certified ? 'certificate.pem' : '',
    BOUND_TO: boundTo,
    ...nameOf(app),
  }
  const lines = Object.entries(values).map(([name, value]) => `${name}='${value.replaceAll("'", '%27')}'\n`)
  return lines.join('')
}

/** The name by which a certificate is known, as `openssl req` wants it. */
function nameOf({ id, oidc }: App): { readonly SUBJECT: string; readonly SUBJECT_ALT_NAME: string } {
  const { proof } = oidc!
  const also = {
    DNS: proof.tls_client_auth_san_dns,
    URI: proof.tls_client_auth_san_uri,
    IP: proof.tls_client_auth_san_ip,
    email: proof.tls_client_auth_san_email,
  }
  const [kind, name] = Object.entries(also).find(([, value]) => value !== undefined) ?? []
  // RFC 4514 §2.1: the last part stands first
  const parts = proof.tls_client_auth_subject_dn?.split(/(?<!\\),/).reverse() ?? [`CN=${id}`]
  const subject = parts.map((part) => `/${part.trim().replaceAll('\\,', ',').replace(/[/+]/g, '\\$&')}`).join('')
  return { SUBJECT: subject, SUBJECT_ALT_NAME: kind === undefined ? '' : `${kind}:${name}` }
}

/** To what tokens of the first API are bound, or why there are none. */
function boundTo({ oidc }: App, { senderConstraint: wanted, id }: Api): Kit['boundTo'] | Error {
  if (oidc!.proof.tls_client_certificate_bound_access_tokens)
    return wanted === 'dpop'
      ? new Error(`\`${id}\` takes tokens bound to a key, the contract has them bound to a certificate`)
      : 'certificate'
  if (wanted === 'mtls')
    return new Error(
      `\`${id}\` takes tokens that are bound to a certificate: the contract lacks \`tls_client_certificate_bound_access_tokens: true\``,
    )
  return wanted !== 'none' || oidc!.dpopBoundAccessTokens ? 'key' : 'nothing'
}

async function kitOf(id: string, context: Context): Promise<Kit | Error> {
  const { catalog, apis } = await context.open()
  const { issuer, organisation, client_certificates: certificates } = context.settings
  const app = await catalog.partners.find(id)
  const set = await apis.all()
  const wanted = Object.entries(app.oidc!.apis).flatMap(([name, scopes]) => {
    const api = set.find(name)
    return api ? [{ api, scopes }] : []
  })
  if (wanted.length === 0) return new Error(`no API of \`${id}\` is registered any more`)
  const bound = boundTo(app, wanted[0]!.api)
  if (bound instanceof Error) return bound
  const certified = bound === 'certificate' || wayOf(app).includes('tls_')
  if (certified && !certificates)
    return new Error('this partner comes with a certificate, but the settings have no `client_certificates`')
  const { token_endpoint: tokenEndpoint } = endpointsOf((certified && certificates?.url) || issuer)
  return { app, wanted, issuer, organisation, tokenEndpoint, boundTo: bound }
}

export const partnerKit: Verb = {
  words: ['partners', 'kit'],
  usage: 'partners kit ID [--out DIR]',
  summary: 'a folder for a partner: settings, programs that try them out, and what to send back',
  options: ['out'],
  async run(args, context) {
    const id = idOf(partnerKit, args, context)
    if (id === undefined) return 2
    const kit = await kitOf(id, context)
    if (kit instanceof Error) {
      context.err(kit.message)
      return 1
    }
    const folder = args.flag('out') ?? `kit-${id}`
    const read = (name: string) => readFile(join(TEMPLATES, name), 'utf8')
    const files: [name: string, text: string][] = [
      ['README.md', readmeOf(await read('README.md'), kit)],
      ['settings.env', settingsOf(kit)],
      ['openapi-security.yaml', openApiOf(kit)],
    ]
    for (const name of makesKey(kit) ? ['make-key.sh', ...AS_THEY_ARE] : AS_THEY_ARE)
      files.push([name, await read(name)])
    try {
      await mkdir(folder, { recursive: true })
      // `wx`: whatever is there may be the partner's key or their own settings
      for (const [name, text] of files)
        await writeFile(join(folder, name), text, { flag: 'wx', mode: name.endsWith('.sh') ? 0o755 : 0o644 })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      context.err(`\`${folder}\` cannot be written (${code})`)
      return 2
    }
    context.print({ id, folder, files: files.map(([name]) => name) }, () => [
      `${folder}: ${files.map(([name]) => name).join(', ')}`,
      `send the folder to ${kit.app.partner!.contacts[0]!.email}; README.md says the rest`,
    ])
    return 0
  },
}
