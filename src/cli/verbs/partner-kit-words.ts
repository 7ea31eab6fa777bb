/** What a kit says to a partner: by what the contract lets it prove who it is, and to what its tokens are bound. */
import { stringify } from 'yaml'
import type { Api } from '#apis'
import type { App } from '#catalog'
import { formatDuration } from '#core/duration'

export type Wanted = readonly { readonly api: Api; readonly scopes: readonly string[] }[]

/** What a kit is made from. */
export interface Kit {
  readonly app: App
  readonly wanted: Wanted
  readonly issuer: string
  readonly organisation: string
  /** Where this partner asks: at another address where it comes with a certificate. */
  readonly tokenEndpoint: string
  readonly boundTo: 'nothing' | 'key' | 'certificate'
}

const KEPT = '`private-key.pem` never leaves your machines.'
const NETWORKS = 'Tell us as well from which addresses your program asks.'

interface Way {
  /** Before anything works. */
  first(kit: Kit): string
  readonly renewing: string
  rotation: string
}

const BY_SECRET: Way = {
  first: () =>
    'You get a secret from us, by a way that nobody else reads. Write it into `settings.env`, behind `CLIENT_SECRET=`, between the quotes.',
  renewing: 'A new secret',
  rotation:
    'Ask us for a new secret; for a while we take both. One that you suspect to be known to others: tell us, and it is over at once.',
}
const SUSPECTED = 'A key that you suspect to be known to others: take it out, and tell us.'

const WAYS: Readonly<Record<string, Way>> = {
  private_key_jwt: {
    first: () =>
      `First make a key: \`./make-key.sh\`. Then send us \`jwks.json\` (it is public), or the \`https\` address where you publish it. ${KEPT} ${NETWORKS}`,
    renewing: 'A new key',
    rotation: `Make it beforehand, and have both in your key set for a while: where you publish it at an address, we take the new one a minute later at the latest; otherwise send us \`jwks.json\` with both. Nobody has to call anybody. ${SUSPECTED}`,
  },
  federated: {
    first: ({ app, issuer }) =>
      [
        'Your program needs no key and no secret of ours: it shows a token that your own platform gives it. Write the name of the file in which it finds that token into `settings.env`, behind `TOKEN_FILE=`, between the quotes. We take a token with these values, and no other:',
        '',
        '| `iss` | `sub` | `aud` | |',
        '| --- | --- | --- | --- |',
        ...app.oidc!.federated.map(
          ({ issuer: by, subject, audience = issuer, reuse }) =>
            `| \`${by}\` | \`${subject}\` | \`${audience}\` | ${reuse ? 'as often as you like until it ends' : 'each token once'} |`,
        ),
        '',
        NETWORKS,
      ].join('\n'),
    renewing: 'A new key',
    rotation: 'Your platform changes the keys by which it signs, and we read them there: there is nothing to do.',
  },
  tls_client_auth: {
    first: () =>
      `First make a key and a request for a certificate: \`./make-key.sh\`. Have \`request.pem\` signed by the authority that we have agreed on, and put the certificate into \`certificate.pem\`. ${KEPT} ${NETWORKS}`,
    renewing: 'A new certificate',
    rotation: `Have one made beforehand, of the same authority and with the same name, and use it: we look at nothing else. ${SUSPECTED}`,
  },
  self_signed_tls_client_auth: {
    first: () =>
      `First make a key and a certificate: \`./make-key.sh\`. Then send us \`jwks.json\` (it is public), or the \`https\` address where you publish it. ${KEPT} ${NETWORKS}`,
    renewing: 'A new certificate',
    rotation: `Make it beforehand, and have both in your key set for a while: where you publish it at an address, we take the new one a minute later at the latest; otherwise send us \`jwks.json\` with both. ${SUSPECTED}`,
  },
  client_secret_basic: BY_SECRET,
  client_secret_post: BY_SECRET,
}

/** How the programs of the kit call it: tokens of others come as an assertion as well, but nobody here signs one. */
export const wayOf = ({ oidc }: App): string =>
  oidc!.federated.length > 0 ? 'federated' : oidc!.tokenEndpointAuthMethod

/** Whether the partner makes a key by the script of the kit. */
export const makesKey = (kit: Kit): boolean =>
  kit.boundTo === 'certificate' || /^(?:private_key|.*tls_)/.test(wayOf(kit.app))

function firstOf(kit: Kit): string {
  const way = wayOf(kit.app)
  const said = WAYS[way]!.first(kit)
  if (kit.boundTo !== 'certificate' || way.includes('tls_')) return said
  const certificate = 'Each token is bound to the certificate with which your program asks for it'
  if (way === 'private_key_jwt') return `${said}\n\n${certificate}: \`./make-key.sh\` makes one as well.`
  return `${said}\n\n${certificate}: make one by \`./make-key.sh\`. There is nothing to send; ${KEPT}`
}

const SEND = {
  nothing: 'Send it as `Authorization: Bearer TOKEN`.',
  key: 'Send it as `Authorization: DPoP TOKEN`, with a proof in the header `DPoP` for each call (RFC 9449): the token is bound to the key with which your program has asked for it. That key is made by your program itself, anew as often as you like, and nobody has to know it.',
  certificate:
    'Send it as `Authorization: Bearer TOKEN`, over a connection with the same certificate: the token is bound to it (RFC 8705).',
}

export function readmeOf(template: string, kit: Kit): string {
  const { app, wanted, organisation, tokenEndpoint, boundTo } = kit
  const { networks, quota, endsAt } = app.partner!
  const { renewing, rotation } = WAYS[wayOf(app)]!
  const values: Record<string, string> = {
    ...{ organisation, token_endpoint: tokenEndpoint, renewing, rotation },
    first: firstOf(kit),
    send: SEND[boundTo],
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
  }
  return template.replace(/\{([a-z_]+)\}/g, (_, name: string) => values[name]!)
}

const inEnglish = (words: Api['scopes'] extends ReadonlyMap<string, infer W> ? W | undefined : never): string =>
  typeof words === 'string' ? words : (words?.en ?? Object.values(words ?? {})[0] ?? '')

/** OpenAPI 3.1 has a word for certificates and none for proofs, which are said in a sentence. */
export function openApiOf({ app, wanted, tokenEndpoint, boundTo }: Kit): string {
  const scopes = Object.fromEntries(
    wanted.flatMap(({ api, scopes: of }) => of.map((one) => [one, inEnglish(api.scopes.get(one))])),
  )
  const certified = boundTo === 'certificate' || wayOf(app).includes('tls_')
  const gateway = {
    type: 'oauth2',
    ...(boundTo === 'key' && { description: 'Tokens are bound to a key: each call has a proof (DPoP, RFC 9449)' }),
    flows: { clientCredentials: { tokenUrl: tokenEndpoint, scopes } },
  }
  const securitySchemes = { gateway, ...(certified && { certificate: { type: 'mutualTLS' } }) }
  const security = [{ gateway: Object.keys(scopes), ...(boundTo === 'certificate' && { certificate: [] }) }]
  return stringify({ components: { securitySchemes }, security }, { lineWidth: 0 })
}
