/** What an app is told about somebody: the attributes of its registration, from the fields of a person. */
import type { AppSaml } from '#catalog'
import type { Person } from '#directory'
import { type Xml, xml } from '#saml'

type Groups = AppSaml['groups']

/** By the words of a registration. What is no word of its own is an attribute that the person's directory has. */
const FIELDS: Readonly<Record<string, (person: Person, groups: Groups) => readonly (string | undefined)[]>> = {
  id: ({ id }) => [id],
  username: ({ username }) => [username],
  name: ({ name }) => [name],
  given_name: ({ givenName }) => [givenName],
  family_name: ({ familyName }) => [familyName],
  email: ({ mail }) => [mail],
  language: ({ language }) => [language],
  organisation: ({ organisation }) => [organisation],
  groups: ({ groups }, wanted) => groupsFor(groups ?? [], wanted),
}

const groupsFor = (groups: readonly string[], wanted: Groups): readonly string[] => {
  if (wanted === 'all') return groups
  return wanted === 'none' ? [] : groups.filter((group) => wanted.includes(group))
}

/** The values of a field, empty ones left out; none for a word that nobody knows. */
export function valuesOf(person: Person, field: string, groups: Groups): readonly string[] {
  const own = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined
  const name = field.replace(/^attributes\./, '')
  const values = own
    ? own(person, groups)
    : Object.hasOwn(person.attributes, name)
      ? (person.attributes[name] ?? [])
      : []
  return values.filter((value): value is string => value !== undefined && value !== '')
}

/** SAML 2.0 Core §8.2. */
const nameFormat = (name: string): string =>
  `urn:oasis:names:tc:SAML:2.0:attrname-format:${/^(?:urn:|https?:)/.test(name) ? 'uri' : 'basic'}`

/** Undefined where there is nothing to tell: a statement without attributes is not allowed (Core §2.7.3). */
export function attributeStatement(person: Person, { attributes, groups }: AppSaml): Xml | undefined {
  const told = attributes.flatMap(({ name, value }) => {
    const values = valuesOf(person, value, groups)
    if (values.length === 0) return []
    return [
      xml(
        'saml:Attribute',
        { Name: name, NameFormat: nameFormat(name) },
        ...values.map((one) => xml('saml:AttributeValue', {}, one)),
      ),
    ]
  })
  return told.length === 0 ? undefined : xml('saml:AttributeStatement', {}, ...told)
}
