/**
 * A manifest: an app as people write it, either a template plus values plus what differs, or everything by hand.
 * `resolve` makes the complete definition of it; `differences` is the way back, so that an export applied again
 * changes nothing, even when the template has changed in between.
 */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { nearest } from '#core/nearest'
import type { Definition, OidcDefinition } from './app.ts'
import { INPUT_KINDS } from './inputs.ts'
import { render } from './placeholders.ts'
import { type CheckOptions, checkDefinition, type Issue } from './rules.ts'
import { isRequired, type Template } from './template.ts'
import { groupName, line, list, oidcFields, slug } from './words.ts'

const oidcOverrides = z.strictObject({
  ...oidcFields,
  // `null` takes away what the template has
  id_token_signed_response_alg: oidcFields.id_token_signed_response_alg.nullable(),
  backchannel_logout_uri: oidcFields.backchannel_logout_uri.nullable(),
})

export const manifestSchema = z.strictObject({
  id: slug,
  template: slug.optional(),
  inputs: z.record(z.string(), z.string()).default({}),
  name: line.optional(),
  policy: line.optional(),
  audience: list(groupName, 200)
    .optional()
    .describe("Groups that may open the app; ['*'] is everybody who has signed in"),
  tags: list(slug, 30).optional(),
  tier: slug.optional(),
  launch_url: z.string().nullable().optional(),
  first_party: z.boolean().optional().describe('First-party apps skip consent'),
  oidc: oidcOverrides.partial().optional(),
})

export type Manifest = z.input<typeof manifestSchema>
type ReadManifest = z.output<typeof manifestSchema>

const BARE_OIDC = {
  redirect_uris: [],
  post_logout_redirect_uris: [],
  scopes: ['openid', 'profile', 'email'],
  token_endpoint_auth_method: 'client_secret_basic',
  pkce: 'required',
  grant_types: ['authorization_code'],
  backchannel_logout_session_required: false,
  claims: { groups: 'all', in_id_token: false },
} as const satisfies OidcDefinition

type Parts = Omit<Definition, 'id' | 'inputs' | 'template' | 'oidc'> & { readonly oidc: OidcDefinition }

/** What a template with these inputs gives by itself; without a template, the plain defaults. */
function baseOf(id: string, template: Template | undefined, inputs: Readonly<Record<string, string>>): Parts {
  const values = { ...inputs, client_id: id }
  const one = (text: string | undefined) => (text === undefined ? undefined : render(text, values))
  const all = (texts: readonly string[] | undefined) => (texts ?? []).flatMap((text) => one(text) ?? [])
  const { oidc, defaults } = template ?? { oidc: undefined, defaults: undefined }
  const logout = one(oidc?.backchannel_logout_uri)
  const launch = one(template?.launch_url)
  const {
    redirect_uris: _redirects,
    post_logout_redirect_uris: _postLogout,
    backchannel_logout_uri: _logout,
    ...plain
  } = oidc ?? {}
  return {
    name: template?.name ?? id,
    policy: defaults?.policy ?? '',
    audience: defaults?.audience ?? [],
    tags: defaults?.tags ?? [],
    tier: defaults?.tier ?? 'standard',
    ...(launch !== undefined && { launch_url: launch }),
    first_party: true,
    oidc: {
      ...BARE_OIDC,
      ...present(plain),
      redirect_uris: all(oidc?.redirect_uris),
      post_logout_redirect_uris: all(oidc?.post_logout_redirect_uris),
      ...(logout !== undefined && { backchannel_logout_uri: logout }),
    },
  }
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined | null> }

/** Without the keys that say nothing. */
const present = <T extends object>(value: T): Present<T> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null)) as Present<T>

/** The base with the manifest's own values on top; `null` removes. */
function overlay<T extends object>(base: T, over: object): T {
  const given = Object.entries(over).filter(([, value]) => value !== undefined)
  return present({ ...base, ...Object.fromEntries(given) }) as unknown as T
}

export interface Resolved {
  /** Absent when there is any issue. */
  readonly definition?: Definition
  readonly issues: readonly Issue[]
}

/** The complete app that a manifest describes. `template` must be the one it names, or undefined when it names none. */
export function resolve(manifest: ReadManifest, template: Template | undefined, options: CheckOptions = {}): Resolved {
  const issues: Issue[] = []
  const inputs = readInputs(manifest, template, issues)
  if (template && !template.oidc) {
    issues.push({
      path: ['template'],
      code: 'protocol-unsupported',
      message: `\`template\`: \`${template.slug}\` has no \`oidc\` part, which is what apps sign in with here`,
    })
  }
  // a missing value would only be reported a second time, as a missing address
  if (issues.length > 0) return { issues }
  const { id, template: _template, inputs: _inputs, oidc, ...parts } = manifest
  const base = baseOf(id, template, inputs)
  const definition: Definition = {
    id,
    ...(template && { template: template.slug }),
    inputs,
    ...overlay(base, { ...parts, oidc: undefined }),
    oidc: overlay(base.oidc, oidc ?? {}),
  }
  issues.push(...checkDefinition(definition, options))
  return issues.length > 0 ? { issues } : { definition, issues }
}

function readInputs(manifest: ReadManifest, template: Template | undefined, issues: Issue[]): Record<string, string> {
  const known = new Map(Object.entries(template?.inputs ?? {}))
  for (const name of Object.keys(manifest.inputs)) {
    if (known.has(name)) continue
    const near = nearest(name, known.keys())
    const hint = near ? `; did you mean \`${near}\`?` : ''
    issues.push({
      path: ['inputs', name],
      code: 'input-unknown',
      message: `\`inputs.${name}\` is no input of the template${hint}`,
    })
  }
  const values: Record<string, string> = {}
  for (const [name, input] of known) {
    const given = Object.hasOwn(manifest.inputs, name) ? manifest.inputs[name]! : input.default
    if (given === undefined) {
      if (isRequired(input))
        issues.push({
          path: ['inputs', name],
          code: 'input-missing',
          message: `\`inputs.${name}\` is missing: ${input.label}, like \`${input.example}\``,
        })
      continue
    }
    const kind = INPUT_KINDS[input.kind]
    const value = kind.read(given)
    if (value === undefined)
      issues.push({
        path: ['inputs', name],
        code: 'input-invalid',
        message: `\`inputs.${name}\` is not valid: expected ${kind.expects}`,
      })
    else values[name] = value
  }
  return values
}

/** The shortest manifest that resolves to the definition. Without its template (it may be gone), everything by hand. */
export function differences(definition: Definition, template: Template | undefined): Manifest {
  const fits = template?.slug === definition.template ? template : undefined
  const base = baseOf(definition.id, fits, definition.inputs)
  const { id, template: _slug, inputs, oidc, ...parts } = definition
  const { oidc: baseOidc, ...baseParts } = base
  const over = differing(baseParts, parts)
  const overOidc = differing(baseOidc, oidc)
  return {
    id,
    ...(fits && { template: fits.slug }),
    ...(fits && Object.keys(inputs).length > 0 && { inputs }),
    ...over,
    // what an admin decides is always written out, whatever the template says by default
    policy: definition.policy,
    ...(definition.audience.length > 0 && { audience: [...definition.audience] }),
    ...(Object.keys(overOidc).length > 0 && { oidc: overOidc }),
  } as Manifest
}

function differing(base: object, value: object): Record<string, unknown> {
  const before = base as Record<string, unknown>
  const after = value as Record<string, unknown>
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return Object.fromEntries(
    keys.filter((key) => !isDeepStrictEqual(before[key], after[key])).map((key) => [key, after[key] ?? null]),
  )
}
