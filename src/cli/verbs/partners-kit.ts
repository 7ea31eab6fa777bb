/** `partners kit ID`: a folder for a partner with settings, programs that try them out, and what to send back. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Api } from '#apis'
import type { App } from '#catalog'
import { formatDuration } from '#core/duration'
import type { Verb } from '../verb.ts'
import { endpointsOf, idOf } from './app-lines.ts'

/** Files as they are; what differs between partners stands in `settings.env`, which they read. */
const TEMPLATES = join(import.meta.dirname, '../../../partner-kit')
const AS_THEY_ARE = ['smoke.sh', 'smoke.mjs', 'smoke.py', 'package.json']
const METHODS = ['private_key_jwt', 'client_secret_basic', 'client_secret_post']

type Wanted = readonly { readonly api: Api; readonly scopes: readonly string[] }[]

/** Of all three programs: a value in quotes on a line. INVARIANT: no value has a quote in it. */
function settingsOf(app: App, [first]: Wanted, issuer: string): string {
  const values = {
    ISSUER: issuer,
    TOKEN_ENDPOINT: endpointsOf(issuer).token_endpoint,
    CLIENT_ID: app.id,
    AUTH_METHOD: app.oidc!.tokenEndpointAuthMethod,
    RESOURCE: first!.api.audience,
    SCOPE: first!.scopes.join(' '),
    CLIENT_SECRET: '',
  }
  const lines = Object.entries(values).map(([name, value]) => `${name}='${value.replaceAll("'", '%27')}'\n`)
  return lines.join('')
}

const inEnglish = (words: Api['scopes'] extends ReadonlyMap<string, infer W> ? W | undefined : never): string =>
  typeof words === 'string' ? words : (words?.en ?? Object.values(words ?? {})[0] ?? '')

const openApi = (wanted: Wanted, issuer: string): string => {
  const scopes = Object.fromEntries(
    wanted.flatMap(({ api, scopes: of }) => of.map((one) => [one, inEnglish(api.scopes.get(one))])),
  )
  const flow = { tokenUrl: endpointsOf(issuer).token_endpoint, scopes }
  return stringify(
    {
      components: { securitySchemes: { gateway: { type: 'oauth2', flows: { clientCredentials: flow } } } },
      security: [{ gateway: Object.keys(scopes) }],
    },
    { lineWidth: 0 },
  )
}

function readmeOf(
  template: string,
  app: App,
  wanted: Wanted,
  { issuer, organisation }: { issuer: string; organisation: string },
): string {
  const { networks, quota, endsAt } = app.partner!
  const byKey = app.oidc!.tokenEndpointAuthMethod === 'private_key_jwt'
  const values: Record<string, string> = {
    organisation,
    token_endpoint: endpointsOf(issuer).token_endpoint,
    first: byKey
      ? 'First make a key: `./make-key.sh`. Then send us `jwks.json` (it is public), or the `https` address where you publish it. `private-key.pem` never leaves your machines. Tell us as well from which addresses your program asks.'
      : 'You get a secret from us, by a way that nobody else reads. Write it into `settings.env`, behind `CLIENT_SECRET=`, between the quotes.',
    apis: wanted
      .map(
        ({ api, scopes }) => `| ${api.name} | \`${api.audience}\` | ${scopes.map((one) => `\`${one}\``).join(' ')} |`,
      )
      .join('\n'),
    limits: [
      networks ? `Requests are answered from ${networks.map((one) => `\`${one}\``).join(', ')} only.` : '',
      quota.tokens ? `At most ${quota.tokens.most} tokens within ${formatDuration(quota.tokens.within)}.` : '',
      quota.calls ? `At most ${quota.calls.most} calls within ${formatDuration(quota.calls.within)}.` : '',
      endsAt === undefined ? '' : `The contract ends on ${new Date(endsAt - 1).toISOString().slice(0, 10)}.`,
    ]
      .filter(Boolean)
      .join(' '),
    rotation: byKey
      ? 'where you publish it at an address, we take the new one a minute later at the latest; otherwise send us `jwks.json` with both.'
      : 'ask us for a new secret; for a while we take both.',
  }
  return template.replace(/\{([a-z_]+)\}/g, (_, name: string) => values[name]!)
}

export const partnerKit: Verb = {
  words: ['partners', 'kit'],
  usage: 'partners kit ID [--out DIR]',
  summary: 'a folder for a partner: settings, programs that try them out, and what to send back',
  options: ['out'],
  async run(args, context) {
    const id = idOf(partnerKit, args, context)
    if (id === undefined) return 2
    const { catalog, apis } = await context.open()
    const app = await catalog.partners.find(id)
    const { tokenEndpointAuthMethod: method, apis: granted } = app.oidc!
    if (!METHODS.includes(method)) {
      context.err(`there is no kit for \`${method}\`; there is one for ${METHODS.join(', ')}`)
      return 1
    }
    const set = await apis.all()
    const wanted = Object.entries(granted).flatMap(([name, scopes]) => {
      const api = set.find(name)
      return api ? [{ api, scopes }] : []
    })
    if (wanted.length === 0) {
      context.err(`no API of \`${id}\` is registered any more`)
      return 1
    }
    const bound = wanted.find(({ api }) => api.senderConstraint !== 'none')
    if (bound || app.oidc!.dpopBoundAccessTokens) {
      context.err('there is no kit for tokens that are bound to a key; the programs of the kit get plain ones')
      return 1
    }
    const { issuer, organisation } = context.settings
    const folder = args.flag('out') ?? `kit-${id}`
    const read = (name: string) => readFile(join(TEMPLATES, name), 'utf8')
    const byKey = method === 'private_key_jwt'
    const files: [name: string, text: string][] = [
      ['README.md', readmeOf(await read('README.md'), app, wanted, { issuer, organisation })],
      ['settings.env', settingsOf(app, wanted, issuer)],
      ['openapi-security.yaml', openApi(wanted, issuer)],
    ]
    for (const name of byKey ? ['make-key.sh', ...AS_THEY_ARE] : AS_THEY_ARE) files.push([name, await read(name)])
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
      `send the folder to ${app.partner!.contacts[0]!.email}; README.md says the rest`,
    ])
    return 0
  },
}
