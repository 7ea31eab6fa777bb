/** From the attributes of a verified assertion to a person, by the names of the settings. */
import { type AssertionFacts, NAME_ID_FORMATS, type NameId, SamlProblem } from '#saml'
import type { UpstreamPerson } from '../upstream-person.ts'
import { personOf } from './oidc-claims.ts'
import type { SamlSettings } from './saml-metadata.ts'

export type PersonFault = 'name-id' | 'no-stable-id'

const FORMATS = {
  persistent: NAME_ID_FORMATS.persistent,
  email: NAME_ID_FORMATS.emailAddress,
  unspecified: NAME_ID_FORMATS.unspecified,
} as const

/** As most providers call them; whoever calls them otherwise is in the settings. */
const NAMES = {
  username: 'uid',
  name: 'displayName',
  given_name: 'givenName',
  family_name: 'sn',
  mail: 'mail',
  language: 'preferredLanguage',
} as const

/** The `NameIDPolicy` that is asked for (Core §8.3). */
export const nameIdFormat = ({ name_id: wanted }: Pick<SamlSettings, 'name_id'>): string => FORMATS[wanted]

/** Throws `SamlProblem` where it is not clear who that is for ever. */
export function personOfAssertion({ attributes, nameId }: AssertionFacts, settings: SamlSettings): UpstreamPerson {
  const names = settings.attributes
  const values = (name: string): readonly string[] => attributes.get(name) ?? []
  const named = (field: keyof typeof NAMES) => values(names[field] ?? NAMES[field])
  const [id, ...more] = names.id === undefined ? [stableName(nameId, settings)] : values(names.id)
  if (more.length > 0)
    throw new SamlProblem<PersonFault>('no-stable-id', `the attribute \`${names.id}\` has several values`)
  const person = personOf(
    {
      sub: id,
      preferred_username: named('username'),
      name: named('name'),
      given_name: named('given_name'),
      family_name: named('family_name'),
      email: named('mail'),
      email_verified: settings.mail_verified,
      locale: named('language'),
      groups: values(names.groups),
      ...Object.fromEntries(Object.values(names.other).map((name) => [`other:${name}`, values(name)])),
    },
    {
      claims: {
        id: 'sub',
        username: 'preferred_username',
        name: 'name',
        given_name: 'given_name',
        family_name: 'family_name',
        mail: 'email',
        language: 'locale',
        groups: 'groups',
        other: Object.fromEntries(Object.entries(names.other).map(([ours, theirs]) => [ours, `other:${theirs}`])),
      },
      groups: settings.groups,
    },
  )
  if (!person)
    throw new SamlProblem<PersonFault>(
      'no-stable-id',
      `${names.id === undefined ? 'the NameID' : `the attribute \`${names.id}\``} is missing or no stable id`,
    )
  return person
}

/** ATTACK: a transient NameID is another one each time, or somebody else's the next time (Core §8.3.8). */
function stableName(nameId: NameId | undefined, settings: SamlSettings): string {
  if (nameId && nameId.format === nameIdFormat(settings)) return nameId.value.trim()
  throw new SamlProblem<PersonFault>(
    'name-id',
    `the NameID is ${nameId ? 'of another format' : 'missing'}; name an attribute as \`attributes.id\`, or its format as \`name_id\``,
  )
}
