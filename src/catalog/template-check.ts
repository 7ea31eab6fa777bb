/** Reading a template: its schema, and what a schema cannot say. */
import { type Problem, readYaml, type YamlDocument } from '#config'
import { nearest } from '#core/nearest'
import { type AddressUse, addressProblem } from './addresses.ts'
import { INPUT_KINDS, mayStand } from './inputs.ts'
import { KNOWN_VALUES, placeholdersOf, render } from './placeholders.ts'
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

/** Reads and checks one template. `file` is how problems name it; `expected` the slug that the file name promises. */
export function readTemplate(
  file: string,
  text: string,
  expected: string,
): { template?: Template; problems: Problem[] } {
  const document = readYaml(file, text, templateSchema)
  if (!document.value) return { problems: document.problems }
  const problems = [...checkTemplate(document.value, document, expected)].sort(
    (a, b) => a.line - b.line || a.column - b.column,
  )
  return problems.length > 0 ? { problems } : { template: document.value, problems }
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
  for (const [index, { text }] of template.settings.entries()) {
    for (const { name } of placeholdersOf(text)) {
      used.add(name)
      if (inputs.has(name) || Object.hasOwn(KNOWN_VALUES, name)) continue
      yield problem(
        ['settings', index, 'text'],
        'placeholder-unknown',
        `\`settings.${index}.text\` has the unknown placeholder \`{${name}}\`${hint(name, [...inputs.keys(), ...Object.keys(KNOWN_VALUES)])}`,
      )
    }
  }
  for (const name of inputs.keys()) {
    if (!used.has(name)) yield problem(['inputs', name], 'input-unused', `\`inputs.${name}\` is used nowhere`)
  }
}

function hint(name: string, known: Iterable<string>): string {
  const near = nearest(name, known)
  return near ? `; did you mean \`{${near}}\`?` : ''
}
