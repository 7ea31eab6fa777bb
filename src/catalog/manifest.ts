/**
 * A manifest: an app as people write it, either a template plus values plus what differs, or everything by hand.
 * `resolve` makes the complete definition of it; `differences` is the way back, so that an export applied again
 * changes nothing, even when the template has changed in between.
 */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { nearest } from '#core/nearest'
import type { Definition } from './app.ts'
import { INPUT_KINDS } from './inputs.ts'
import { render } from './placeholders.ts'
import { forwardAuth, forwardAuthPart } from './protocols/forward-auth.ts'
import { PROTOCOL_KEYS, type ProtocolKey } from './protocols/list.ts'
import { oidc } from './protocols/oidc.ts'
import { oidcOverrides } from './protocols/oidc-definition.ts'
import { type Fill, present } from './protocols/protocol.ts'
import { saml, samlOverrides } from './protocols/saml.ts'
import { type CheckOptions, checkDefinition, type Issue } from './rules.ts'
import { isRequired, type Template } from './template.ts'
import { groupName, line, list, slug } from './words.ts'

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
  owner: line.nullable().optional().describe('Who answers for the app, like a team or a mail address'),
  organisation: line
    .nullable()
    .optional()
    .describe('The organisation that a program belongs to, for `client.organisation`'),
  launch_url: z.string().nullable().optional(),
  first_party: z.boolean().optional().describe('First-party apps skip consent'),
  oidc: oidcOverrides.optional(),
  saml: samlOverrides.optional(),
  forward_auth: forwardAuthPart.optional(),
})

export type Manifest = z.input<typeof manifestSchema>
type ReadManifest = z.output<typeof manifestSchema>

type Parts = Omit<Definition, 'id' | 'inputs' | 'template'>

/**
 * What a template with these inputs gives by itself, for the protocols that are wanted; without a template, the plain
 * defaults.
 */
function baseOf(
  { id, inputs }: Pick<Definition, 'id' | 'inputs'>,
  template: Template | undefined,
  wanted: readonly ProtocolKey[],
): Parts {
  const values = { ...inputs, client_id: id }
  const one = (text: string | undefined) => (text === undefined ? undefined : render(text, values))
  const fill: Fill = { one, all: (texts) => (texts ?? []).flatMap((text) => one(text) ?? []) }
  const defaults = template?.defaults
  const launch = one(template?.launch_url) ?? (wanted.includes('saml') ? one(template?.saml?.sign_on_url) : undefined)
  return {
    name: template?.name ?? id,
    policy: defaults?.policy ?? '',
    audience: defaults?.audience ?? [],
    tags: defaults?.tags ?? [],
    tier: defaults?.tier ?? 'standard',
    ...(launch !== undefined && { launch_url: launch }),
    first_party: true,
    ...(wanted.includes('oidc') && { oidc: oidc.base(template?.oidc, fill) }),
    ...(wanted.includes('saml') && { saml: saml.base(template?.saml, fill) }),
    ...(wanted.includes('forward_auth') && { forward_auth: forwardAuth.base(template?.forward_auth, fill) }),
  }
}

/** Those that the manifest names, or else the first that the template has. */
function wantedBy(manifest: Partial<Record<ProtocolKey, object | undefined>>, template: Template | undefined) {
  const named = PROTOCOL_KEYS.filter((key) => manifest[key] !== undefined)
  return named.length > 0 ? named : PROTOCOL_KEYS.filter((key) => template?.[key] !== undefined).slice(0, 1)
}

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
  if (template && wantedBy(manifest, template).length === 0)
    issues.push({
      path: ['template'],
      code: 'protocol-unsupported',
      message: `\`template\`: \`${template.slug}\` has none of \`oidc\`, \`saml\` and \`forward_auth\`, by which apps sign in here`,
    })
  // a missing value would only be reported a second time, as a missing address
  if (issues.length > 0) return { issues }
  const { id, template: _template, inputs: _inputs, ...own } = manifest
  const base = baseOf({ id, inputs }, template, wantedBy(manifest, template))
  const parts = PROTOCOL_KEYS.flatMap((key) => {
    const part = base[key]
    return part === undefined ? [] : [[key, overlay(part, own[key] ?? {})]]
  })
  const definition = {
    id,
    ...(template && { template: template.slug }),
    inputs,
    ...overlay(base, own),
    ...Object.fromEntries(parts),
  } as Definition
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
  const spoken = PROTOCOL_KEYS.filter((key) => definition[key] !== undefined)
  const base = baseOf(definition, fits, spoken)
  const { id, template: _slug, inputs, oidc: _oidc, saml: _saml, forward_auth: _forwardAuth, ...parts } = definition
  const { oidc: _baseOidc, saml: _baseSaml, forward_auth: _baseForwardAuth, ...baseParts } = base
  const over = differing(baseParts, parts)
  const differs = Object.fromEntries(spoken.map((key) => [key, differing(base[key]!, definition[key]!)]))
  const byItself = isDeepStrictEqual(spoken, wantedBy({}, fits))
  return {
    id,
    ...(fits && { template: fits.slug }),
    ...(fits && Object.keys(inputs).length > 0 && { inputs }),
    ...over,
    // what an admin decides is always written out, whatever the template says by default
    policy: definition.policy,
    ...(definition.audience.length > 0 && { audience: [...definition.audience] }),
    // which protocols are spoken is said by naming them; one of several that differs must not hide the others
    ...Object.fromEntries(
      Object.entries(differs).filter(
        ([, part], _, all) => !byItself || (Object.keys(part).length > 0 && all.length === 1),
      ),
    ),
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
