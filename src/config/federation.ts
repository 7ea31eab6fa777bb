/** Settings of providers that sign people in on pages of their own, and of what other directories are believed. */
import { z } from 'zod'
import { degradedProvider } from './degraded.ts'
import { duration, id, secret } from './shapes.ts'

const domain = z
  .string()
  .regex(/^(?=.{3,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'expected a domain in lower case, like `kestrel.example`')

export const domains = z.array(domain).describe('Mail domains that this directory speaks for, without those below them')

export const link = z
  .strictObject({
    mail: z
      .boolean()
      .default(false)
      .describe('Who has a verified mail address of its `domains` is the person here with that verified address'),
    attribute: z
      .string()
      .optional()
      .describe('Who has the same value here, like `employee_number`, is the same person'),
  })
  .describe('What is believed about who is who; without it people connect an account by proving the one they have')

const words = z.array(z.string()).min(1)

/** What all providers have in common, whatever they speak. */
export const provider = {
  id,
  title: z.string().optional().describe('On the button of the sign-in page; the id unless given'),
  organisation: z.string().optional(),
  domains: domains.default([]),
  link: link.prefault({}),
  usernames: z
    .enum(['qualified', 'plain'])
    .default('qualified')
    .describe('What its people are called here: `NAME@ID`, or the name alone where nobody has it'),
  newcomers: z
    .enum(['ask', 'create', 'prove', 'refuse'])
    .default('ask')
    .describe(
      'Who is not known here yet: is asked whether they have an account to connect, is made here at once, must prove an account that they have, or is refused',
    ),
  groups: z
    .strictObject({
      map: z.record(z.string(), words).default({}).describe('Its groups to ours; others are left out'),
      everybody: z.array(z.string()).default([]).describe('Groups of ours for everybody from there'),
    })
    .prefault({}),
  assurance: z
    .array(
      z
        .strictObject({
          acr: words.optional().describe('One of them is what it says'),
          amr: words.optional().describe('All of them are among what it says'),
          within: duration.optional().describe('The sign-in there is no older'),
          is: z.enum(['any', 'two-factors', 'phishing-resistant', 'hardware']),
        })
        .refine(({ acr, amr }) => acr !== undefined || amr !== undefined, 'expected `acr` or `amr`'),
    )
    .default([])
    .describe('Which sign-ins there count for which strength here; every other one is `any`'),
  step_up: z
    .enum(['here', 'there'])
    .default('here')
    .describe('Where somebody who came from there is asked for what is missing'),
  degraded: degradedProvider,
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
const issuer = z.string().refine((text) => {
  const url = URL.parse(text)
  if (url === null || url.search + url.hash + url.username !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}, 'expected the `https` URL of the provider, exactly as it calls itself')

export const oidcDirectory = z.strictObject({
  ...provider,
  kind: z.literal('oidc'),
  issuer,
  client_id: z.string().min(1),
  client_secret: secret.optional(),
  client_secret_expires: z.iso
    .date()
    .optional()
    .describe('When the provider stops taking it, like `2027-05-31`: `portico expiring` tells in time'),
  client_authentication: z
    .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt'])
    .default('client_secret_basic')
    .describe('`private_key_jwt` signs with the keys of `/oauth2/jwks` and needs no secret'),
  scopes: z.array(z.string()).default(['openid', 'profile', 'email']),
  userinfo: z.boolean().default(true).describe('Ask for the claims at its userinfo endpoint, where it has one'),
  userinfo_alg: z
    .enum(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .optional()
    .describe('As registered there (`userinfo_signed_response_alg`): an answer that is not signed so is refused'),
  step_up_acr: z
    .partialRecord(z.enum(['any', 'two-factors', 'phishing-resistant', 'hardware']), z.string())
    .optional()
    .describe('The `acr_values` that ask for a strength there'),
  sign_out: z.boolean().default(true).describe('Who signs out here signs out there as well'),
  claims: z
    .strictObject({
      id: z.string().default('sub'),
      username: z.string().default('preferred_username'),
      name: z.string().default('name'),
      given_name: z.string().default('given_name'),
      family_name: z.string().default('family_name'),
      mail: z.string().default('email'),
      language: z.string().default('locale'),
      groups: z.string().default('groups'),
      other: z.record(z.string(), z.string()).default({}).describe('Attributes of people here to claims there'),
    })
    .prefault({}),
  timeout: duration.default('5s'),
})

const metadataUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  if (url === null || url.username !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}, 'expected an `https` URL')

export const samlDirectory = z.strictObject({
  ...provider,
  kind: z.literal('saml'),
  entity_id: z.string().min(1).max(1024).describe('Of the provider, exactly as it stands in its metadata'),
  metadata_url: metadataUrl.optional().describe('Where its metadata are read from, again and again'),
  metadata_file: z.string().optional().describe('File with its metadata, instead of the URL'),
  refresh: duration.default('1h').describe('So often are they read again'),
  our_entity_id: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('What we call ourselves towards it; `ISSUER/signin/back/ID/metadata` unless given'),
  name_id: z
    .enum(['persistent', 'email', 'unspecified'])
    .default('persistent')
    .describe('The NameID that is asked for, and the stable id of a person unless `attributes.id` names another'),
  sign_out: z.boolean().default(true).describe('Who signs out here signs out there as well'),
  mail_verified: z.boolean().default(false).describe('It has seen mail arrive at the addresses that it tells'),
  step_up_context: z
    .partialRecord(z.enum(['any', 'two-factors', 'phishing-resistant', 'hardware']), z.string())
    .optional()
    .describe('The `AuthnContextClassRef` that asks for a strength there'),
  attributes: z
    .strictObject({
      id: z.string().optional().describe('Attribute with an id that stays for ever'),
      username: z.string().optional().describe('`uid` unless given'),
      name: z.string().optional().describe('`displayName` unless given'),
      given_name: z.string().optional().describe('`givenName` unless given'),
      family_name: z.string().optional().describe('`sn` unless given'),
      mail: z.string().optional().describe('`mail` unless given'),
      language: z.string().optional().describe('`preferredLanguage` unless given'),
      groups: z.string().default('groups'),
      methods: z.string().optional().describe('Attribute with the methods of the sign-in, for `amr` of `assurance`'),
      other: z.record(z.string(), z.string()).default({}).describe('Attributes of people here to attributes there'),
    })
    .prefault({}),
  timeout: duration.default('5s'),
})
