/** Reading a template: its schema, and what a schema cannot say. */
import { type Problem, readYaml, type YamlDocument } from '#config'
import { nearest } from '#core/nearest'
import { type AddressUse, addressProblem } from './addresses.ts'
import { INPUT_KINDS, mayStand } from './inputs.ts'
import { resolve } from './manifest.ts'
import { KNOWN_VALUES, placeholdersOf, protocolsIn, render } from './placeholders.ts'
import { PROTOCOL_KEYS } from './protocols/list.ts'
import { exampleInputs, isRequired, type Template, templateSchema } from './template.ts'

interface AddressField {
  readonly path: readonly (string | number)[]
  readonly text: string
  /** Undefined: not necessarily an address (a SAML entity id may be any URI). */
  readonly use: AddressUse | undefined
}

/** Every address of a template, with its place in the file. */
function addressFields(template: Template): AddressField[] {
  const { oidc, saml, forward_auth, scim } = template
  const many = (path: (string | number)[], texts: readonly string[] | undefined, use: AddressUse) =>
    (texts ?? []).map((text, i): AddressField => ({ path: [...path, i], text, use }))
  const one = (path: (string | number)[], text: string | undefined, use: AddressUse | undefined) =>
    text === undefined ? [] : [{ path, text, use } satisfies AddressField]
  return [
    ...one(['launch_url'], template.launch_url, 'page'),
    ...many(['oidc', 'redirect_uris'], oidc?.redirect_uris, 'redirect'),
    ...many(['oidc', 'post_logout_redirect_uris'], oidc?.post_logout_redirect_uris, 'redirect'),
    ...one(['oidc', 'backchannel_logout_uri'], oidc?.backchannel_logout_uri, 'endpoint'),
    ...one(['oidc', 'frontchannel_logout_uri'], oidc?.frontchannel_logout_uri, 'page'),
    ...many(['saml', 'acs_urls'], saml?.acs_urls, 'page'),
    ...one(['saml', 'entity_id'], saml?.entity_id, undefined),
    ...one(['saml', 'sign_on_url'], saml?.sign_on_url, 'page'),
    ...(saml?.slo ?? []).flatMap(({ url, response_url }, i) => [
      ...one(['saml', 'slo', i, 'url'], url, 'page'),
      ...one(['saml', 'slo', i, 'response_url'], response_url, 'page'),
    ]),
    ...(forward_auth?.hosts ?? []).map(
      (text, i): AddressField => ({ path: ['forward_auth', 'hosts', i], text, use: undefined }),
    ),
    ...one(['scim', 'base_url'], scim?.base_url, 'endpoint'),
  ]
}

/**
 * Texts that are known to be old: whoever takes facts from them says so. The addresses begin with these.
 * A template may be older than its sources are known to be, so `as_of` may stand without any of them.
 */
const DATED_SOURCES: Readonly<Record<string, string>> = {
  'https://github.com/rekha-balan/azure-docs-test2-pr.nl-NL/blob/2cf49c66e0/': '2018-09',
}

/** The scopes of a sign-in. Others are of an API, and no template knows which of them there is. */
const SIGN_IN_SCOPES = ['openid', 'profile', 'email', 'groups', 'offline_access']

export interface Read {
  readonly template?: Template
  readonly problems: Problem[]
  /** A problem with what stands at a path of the file. */
  readonly problem: YamlDocument<Template>['problem']
}

/** Reads and checks one template. `file` is how problems name it; `expected` the slug that the file name promises. */
export function readTemplate(file: string, text: string, expected: string): Read {
  const document = readYaml(file, text, templateSchema)
  const { value, problem } = document
  if (!value) return { problems: document.problems, problem }
  const problems = [...checkTemplate(value, document, expected)]
  if (problems.length > 0) return { problems: problems.sort((a, b) => a.line - b.line || a.column - b.column), problem }
  return { template: value, problems: tryOut(value, problem), problem }
}

/** Registers the template in thought, with its examples: what only shows when all parts meet. */
function tryOut(template: Template, problem: Read['problem']): Problem[] {
  const inputs = exampleInputs(template)
  // each protocol by itself: an app that speaks one of several must be whole, too
  const issues = PROTOCOL_KEYS.filter((key) => template[key]).flatMap(
    (key) => resolve({ id: template.slug, inputs, [key]: {} }, template).issues,
  )
  return issues
    .filter(({ code }) => code !== 'policy-missing' && code !== 'audience-missing')
    .map(({ path, code, message }) => problem(path, code, message))
}

function* checkTemplate(template: Template, document: YamlDocument<Template>, expected: string): Generator<Problem> {
  const { problem } = document
  const inputs = new Map(Object.entries(template.inputs))
  if (template.slug !== expected)
    yield problem(
      ['slug'],
      'slug-mismatch',
      `\`slug\` is \`${template.slug}\`, expected \`${expected}\` as the file is named`,
    )
  if (!(template.oidc ?? template.saml ?? template.forward_auth ?? template.scim)) {
    yield problem([], 'protocol-missing', 'document has none of `oidc`, `saml`, `forward_auth` and `scim`')
  }
  const dated = Object.entries(DATED_SOURCES).find(([start]) => template.sources.some((one) => one.startsWith(start)))
  if (dated && template.as_of === undefined)
    yield problem([], 'as-of-missing', `\`as_of\` is missing, expected \`${dated[1]}\`: a source is as old as that`)
  for (const [index, { value }] of (template.saml?.attributes ?? []).entries())
    if (/\s/.test(value))
      yield problem(
        ['saml', 'attributes', index, 'value'],
        'attribute-unknown',
        `\`saml.attributes.${index}.value\` is no field of a person and no name of an attribute: \`${value}\``,
      )
  const scopes = template.oidc?.scopes ?? []
  for (const [index, scope] of scopes.entries())
    if (scopes.includes('openid') && !SIGN_IN_SCOPES.includes(scope))
      yield problem(
        ['oidc', 'scopes', index],
        'scope-unknown',
        `\`oidc.scopes.${index}\` is no scope of a sign-in: \`${scope}\`${hint(scope, SIGN_IN_SCOPES, String)}`,
      )
  const required = [...inputs].filter(([, one]) => isRequired(one))
  if (required.length > 2)
    yield problem(
      ['inputs'],
      'inputs-too-many',
      `\`inputs\` asks for ${required.length} values, expected at most 2 (give the others a \`default\`)`,
    )
  for (const [name, one] of inputs) {
    const kind = INPUT_KINDS[one.kind]
    if (Object.hasOwn(KNOWN_VALUES, name))
      yield problem(
        ['inputs', name],
        'input-reserved',
        `\`inputs.${name}\` has the name of a value that the gateway fills in`,
      )
    for (const key of ['example', 'default'] as const) {
      if (one[key] !== undefined && kind.read(one[key]) !== one[key])
        yield problem(
          ['inputs', name, key],
          'invalid',
          `\`inputs.${name}.${key}\` is not valid: expected ${kind.expects}`,
        )
    }
  }
  const used = new Set<string>()
  const fields = addressFields(template)
  const examples = exampleInputs(template)
  for (const { path, text, use } of fields) {
    let misplaced = false
    for (const { name, before, after } of placeholdersOf(text)) {
      used.add(name)
      const one = inputs.get(name)
      if (one ? mayStand(INPUT_KINDS[one.kind].place, before, after) || use === undefined : name === 'client_id')
        continue
      misplaced = true
      yield one
        ? problem(
            path,
            'placeholder-misplaced',
            `\`${path.join('.')}\` has \`{${name}}\` where an input of kind \`${one.kind}\` must not stand`,
          )
        : problem(
            path,
            'placeholder-unknown',
            `\`${path.join('.')}\` has the unknown placeholder \`{${name}}\`${hint(name, inputs.keys())}`,
          )
    }
    if (misplaced || use === undefined) continue
    const wrong = addressProblem(render(text, { ...examples, client_id: 'example' }) ?? text, use)
    if (wrong) yield problem(path, 'address-unsafe', `\`${path.join('.')}\` ${wrong}`)
  }
  for (const [index, { format, text }] of template.settings.entries()) {
    const path = ['settings', index, 'text']
    const at = `\`settings.${index}.text\``
    const spoken = protocolsIn(text)
    const foreign = spoken.find((protocol) => !template[protocol])
    if (foreign)
      yield problem(path, 'placeholder-foreign', `${at} has a value of \`${foreign}\`, which the template has not`)
    else if (spoken.length > 1)
      yield problem(
        path,
        'placeholders-mixed',
        `${at} has values of ${spoken.join(' and ')}, expected an entry for each`,
      )
    if (format === 'steps' && /^\s|^\d+[.)]|\n\s*\n|\n\d+[.)]/.test(text))
      yield problem(
        path,
        'steps-invalid',
        `${at} is no list of steps: a line each, without numbers, what belongs to one indented below it`,
      )
    for (const { name } of placeholdersOf(text)) {
      used.add(name)
      if (inputs.has(name) || Object.hasOwn(KNOWN_VALUES, name)) continue
      yield problem(
        path,
        'placeholder-unknown',
        `${at} has the unknown placeholder \`{${name}}\`${hint(name, [...inputs.keys(), ...Object.keys(KNOWN_VALUES)])}`,
      )
    }
  }
  for (const name of inputs.keys()) {
    if (!used.has(name)) yield problem(['inputs', name], 'input-unused', `\`inputs.${name}\` is used nowhere`)
  }
}

function hint(name: string, known: Iterable<string>, written = (near: string) => `{${near}}`): string {
  const near = nearest(name, known)
  return near ? `; did you mean \`${written(near)}\`?` : ''
}
