/** From files to partners, each mistake with its place in the contract. */
import type { SourceFile } from '#config'
import { nearest } from '#core/nearest'
import type { Definition } from '../app.ts'
import { manifestSchema, resolve } from '../manifest.ts'
import { type ReadManifests, readEach } from '../manifest-reading.ts'
import type { CheckOptions, Issue } from '../rules.ts'
import { type Contract, contractSchema, keyProblem, PROOF_KEYS, partnerPart, toManifest } from './contract.ts'

/** The APIs that are registered, by their ids. */
export type KnownApis = ReadonlyMap<
  string,
  { readonly policy: string /** With the types of its authorization details. */; readonly scopes: readonly string[] }
>

/** Where a part of an app stands in a contract. */
const PLACES: readonly (readonly [app: readonly string[], contract: readonly string[]])[] = [
  [
    ['oidc', 'token_endpoint_auth_method'],
    ['authentication', 'method'],
  ],
  [
    ['oidc', 'jwks_uri'],
    ['authentication', 'jwks_uri'],
  ],
  [
    ['oidc', 'jwks'],
    ['authentication', 'jwks'],
  ],
  ...PROOF_KEYS.map(
    (key) =>
      [
        ['oidc', key],
        ['authentication', key],
      ] as const,
  ),
  [['oidc', 'apis'], ['apis']],
  [['id'], ['partner']],
]

/** What was said of an app, said of its contract. */
function ofContract({ path, code, message }: Issue): Issue {
  const [app, contract] = PLACES.find(([from]) => from.every((part, at) => path[at] === part)) ?? [[], []]
  const told = PLACES.reduce((text, [from, to]) => text.replaceAll(`\`${from.join('.')}`, `\`${to.join('.')}`), message)
  return { path: [...contract, ...path.slice(app.length)], code, message: told }
}

export function readContracts(
  sources: readonly SourceFile[],
  apis: KnownApis,
  options: CheckOptions,
): Promise<ReadManifests> {
  return readEach(sources, {
    schema: contractSchema,
    key: 'partner',
    what: 'contract',
    async define(document, contract, problems) {
      const issues = [...checkContract(contract, apis)]
      const { definition, issues: more } = resolve(
        manifestSchema.parse(toManifest(contract, defaultPolicy(contract.apis, apis))),
        undefined,
        options,
      )
      // of which a contract says it in its own way: `policy-several`
      issues.push(...more.filter(({ code }) => code !== 'policy-missing').map(ofContract))
      problems.push(...issues.map(({ path, code, message }) => document.problem(path, code, message)))
      return definition && issues.length === 0 ? { ...definition, partner: partnerPart(contract) } : undefined
    },
  })
}

/** That of its APIs, where they have the same. */
export function defaultPolicy(wanted: NonNullable<Definition['oidc']>['apis'], apis: KnownApis): string | undefined {
  const policies = new Set(Object.keys(wanted ?? {}).map((id) => apis.get(id)?.policy))
  return policies.size === 1 ? [...policies][0] : undefined
}

function* checkContract({ apis: wanted, authentication, policy }: Contract, apis: KnownApis): Generator<Issue> {
  const did = (name: string, known: Iterable<string>) => {
    const near = nearest(name, known)
    return near ? `; did you mean \`${near}\`?` : ''
  }
  for (const [id, scopes] of Object.entries(wanted)) {
    const api = apis.get(id)
    if (!api) {
      const message = `\`apis\` names no registered API: \`${id}\`${did(id, apis.keys())}`
      yield { path: ['apis', id], code: 'api-unknown', message }
      continue
    }
    if (scopes.length === 0)
      yield { path: ['apis', id], code: 'scopes-missing', message: `\`apis.${id}\` is empty, expected scopes` }
    for (const [i, scope] of scopes.entries())
      if (!api.scopes.includes(scope)) {
        const message = `\`apis.${id}\` names no scope of it: \`${scope}\`${did(scope, api.scopes)}`
        yield { path: ['apis', id, i], code: 'scope-unknown', message }
      }
  }
  // of an API that is not there nobody knows the policy
  const known = Object.keys(wanted).every((id) => apis.has(id))
  if (known && policy === undefined && defaultPolicy(wanted, apis) === undefined)
    yield { path: ['apis'], code: 'policy-several', message: '`policy` is missing: these APIs have not all the same' }
  const { method, allow_secret, jwks } = authentication
  const secret = method.startsWith('client_secret_')
  if (secret && allow_secret === undefined)
    yield {
      path: ['authentication', 'method'],
      code: 'secret-not-allowed',
      message: `\`authentication.method\` is \`${method}\`: a secret can be copied, so it takes \`allow_secret\` with the reason`,
    }
  if (!secret && allow_secret !== undefined)
    yield {
      path: ['authentication', 'allow_secret'],
      code: 'secret-unused',
      message: `\`authentication.allow_secret\` stands beside \`${method}\`, which has no secret`,
    }
  for (const [i, key] of (jwks?.keys ?? []).entries()) {
    const wrong = 'd' in key ? undefined : keyProblem(key)
    const path = ['authentication', 'jwks', 'keys', i]
    if (wrong) yield { path, code: 'key-invalid', message: `\`${path.join('.')}\` ${wrong}` }
  }
}
