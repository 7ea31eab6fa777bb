/** SAML 2.0: an app that is a service provider (SAML 2.0 Metadata §2.4.4). */
import { z } from 'zod'
import { addresses, groupName, line, list } from '../words.ts'
import { type AddressAt, type AppProtocol, present, type Rule } from './protocol.ts'

const NAME_ID_FORMATS = ['persistent', 'emailAddress', 'transient', 'unspecified'] as const
const SLO_BINDINGS = ['redirect', 'post', 'soap'] as const

/** Where the app takes sign-outs (Metadata §2.2.2). */
const slo = z.strictObject({
  url: z.string().max(4000),
  binding: z.enum(SLO_BINDINGS).default('redirect'),
  response_url: z.string().max(4000).optional().describe('Where its answers go, when not to `url`'),
})
const attribute = z.strictObject({
  name: line.describe('As it must stand in the assertion'),
  value: line.describe('A field of the person: `email`, `username`, `groups` …'),
  required: z.boolean().optional(),
})
const pem = z
  .string()
  .regex(
    /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?$/,
    'expected a certificate as PEM',
  )

/** In a template its addresses hold placeholders; what they may be is checked after rendering. */
const samlFields = {
  entity_id: z.string().min(1).max(1024).describe('The name by which the app knows itself'),
  acs_urls: addresses.describe('Where answers are posted to; the first is the default'),
  acs_indexes: list(z.int().min(0).max(65_535), 50).describe(
    'By which numbers requests name them, one for each of `acs_urls`; without it they are counted from 0',
  ),
  name_id_format: z.enum(NAME_ID_FORMATS),
  name_id: line.describe(
    'The field of the person that becomes the NameID; without it `persistent` makes its own, and `transient` always does',
  ),
  attributes: z.array(attribute).max(100),
  groups: z
    .union([z.enum(['all', 'none']), list(groupName, 500)])
    .describe('Of the groups of a person, those that the app is told'),
  relay_state: z
    .string()
    .regex(/^[\x21-\x7e]{1,1000}$/, 'expected visible characters without blanks')
    .describe('Sent along where a sign-on begins here and not at the app'),
  sign: list(z.enum(['assertion', 'response']), 2),
  encrypt: z.boolean().describe('Assertions are encrypted for `encryption_certificate`'),
  slo: z.array(slo).max(10),
  signing_certificates: list(pem, 10).describe("The app's own keys, as PEM"),
  encryption_certificate: pem,
  requests_signed: z.boolean().describe('A request that is not signed is refused'),
  metadata_url: z.string().max(4000).describe("Where the app's metadata is read again now and then"),
}

type Slo = z.output<typeof slo>
type Attribute = z.output<typeof attribute>

/** The stored form, in the words of a manifest. */
export interface SamlDefinition {
  readonly entity_id: string
  readonly acs_urls: readonly string[]
  readonly acs_indexes?: readonly number[]
  readonly name_id_format: (typeof NAME_ID_FORMATS)[number]
  readonly name_id?: string
  readonly attributes: readonly Attribute[]
  readonly groups: 'all' | 'none' | readonly string[]
  readonly relay_state?: string
  readonly sign: readonly ('assertion' | 'response')[]
  readonly encrypt: boolean
  readonly slo: readonly Slo[]
  readonly signing_certificates: readonly string[]
  readonly encryption_certificate?: string
  readonly requests_signed: boolean
  readonly metadata_url?: string
}

export interface AppSaml {
  readonly entityId: string
  /** Where answers may be posted to; the first is the default. */
  readonly acsUrls: readonly string[]
  /** By which numbers requests name them. */
  readonly acsIndexes: readonly number[]
  readonly nameIdFormat: (typeof NAME_ID_FORMATS)[number]
  /** The field of the person that becomes the NameID, where the format does not say. */
  readonly nameId?: string
  readonly attributes: readonly Attribute[]
  readonly groups: 'all' | 'none' | readonly string[]
  /** Sent along where a sign-on begins here. */
  readonly relayState?: string
  readonly sign: readonly ('assertion' | 'response')[]
  readonly encrypt: boolean
  readonly slo: readonly { readonly url: string; readonly binding: Slo['binding']; readonly responseUrl?: string }[]
  /** PEM. */
  readonly signingCertificates: readonly string[]
  readonly encryptionCertificate?: string
  readonly requestsSigned: boolean
  /** Read again now and then. */
  readonly metadataUrl?: string
}

const BARE: SamlDefinition = {
  entity_id: '',
  acs_urls: [],
  name_id_format: 'persistent',
  attributes: [],
  groups: 'all',
  sign: ['assertion', 'response'],
  encrypt: false,
  slo: [],
  signing_certificates: [],
  requests_signed: false,
}

// an app's own keys are never the same in two installations, so a template has none
export const samlTemplate = z
  .strictObject({ ...samlFields, sign_on_url: z.string().describe('Where people start, when not at `launch_url`') })
  .partial()
  .omit({ signing_certificates: true, encryption_certificate: true, metadata_url: true })

/** What a manifest may say; `null` takes away what the template has. */
export const samlOverrides = z
  .strictObject({
    ...samlFields,
    acs_indexes: samlFields.acs_indexes.nullable(),
    name_id: samlFields.name_id.nullable(),
    relay_state: samlFields.relay_state.nullable(),
    metadata_url: samlFields.metadata_url.nullable(),
    encryption_certificate: samlFields.encryption_certificate.nullable(),
  })
  .partial()

export const saml: AppProtocol<z.output<typeof samlTemplate>, SamlDefinition, AppSaml> = {
  key: 'saml',
  base(part, { one, all }) {
    const { sign_on_url: _signOn, acs_urls, entity_id, slo: sloOf, ...plain } = part ?? {}
    return {
      ...BARE,
      ...present(plain),
      entity_id: one(entity_id) ?? '',
      acs_urls: all(acs_urls),
      slo: (sloOf ?? []).flatMap((each) => {
        const [url, response] = [one(each.url), one(each.response_url)]
        return url === undefined
          ? []
          : [{ url, binding: each.binding, ...(response === undefined ? {} : { response_url: response }) }]
      }),
    } as SamlDefinition
  },

  addresses: ({ acs_urls, slo: ways, metadata_url }) => [
    ...acs_urls.map((text, i): AddressAt => ({ path: ['acs_urls', i], text, use: 'page' })),
    ...(metadata_url === undefined ? [] : [{ path: ['metadata_url'], text: metadata_url, use: 'endpoint' } as const]),
    ...ways.flatMap(({ url, binding, response_url }, i): AddressAt[] => [
      { path: ['slo', i, 'url'], text: url, use: binding === 'soap' ? 'endpoint' : 'page' },
      ...(response_url === undefined
        ? []
        : [{ path: ['slo', i, 'response_url'], text: response_url, use: 'page' } as const]),
    ]),
  ],

  rules: ({
    entity_id,
    acs_urls,
    acs_indexes,
    sign,
    encrypt,
    encryption_certificate,
    requests_signed,
    signing_certificates,
  }): Rule[] => [
    [
      entity_id !== '',
      ['entity_id'],
      'entity-id-missing',
      'is missing, expected the name by which the app knows itself',
    ],
    [acs_urls.length > 0, ['acs_urls'], 'acs-missing', 'is missing, expected at least one address'],
    [
      acs_indexes === undefined || acs_indexes.length === acs_urls.length,
      ['acs_indexes'],
      'acs-indexes-uneven',
      'does not hold one number for each of `acs_urls`',
    ],
    [sign.length > 0, ['sign'], 'sign-missing', 'signs nothing, expected `assertion`, `response` or both'],
    [
      encrypt === false || encryption_certificate !== undefined,
      ['encryption_certificate'],
      'keys-missing',
      'is missing, but `encrypt` is true',
    ],
    [
      !requests_signed || signing_certificates.length > 0,
      ['signing_certificates'],
      'keys-missing',
      'is missing, but `requests_signed` is true',
    ],
  ],

  names: ({ entity_id }) => [{ kind: 'entity-id', name: entity_id }],

  seen: (stored) => ({
    entityId: stored.entity_id,
    acsUrls: stored.acs_urls,
    acsIndexes: stored.acs_indexes ?? stored.acs_urls.map((_, i) => i),
    nameIdFormat: stored.name_id_format,
    ...(stored.name_id !== undefined && { nameId: stored.name_id }),
    attributes: stored.attributes,
    groups: stored.groups,
    ...(stored.relay_state !== undefined && { relayState: stored.relay_state }),
    sign: stored.sign,
    encrypt: stored.encrypt,
    slo: stored.slo.map(({ url, binding, response_url }) => ({
      url,
      binding,
      ...(response_url !== undefined && { responseUrl: response_url }),
    })),
    signingCertificates: stored.signing_certificates,
    ...(stored.encryption_certificate !== undefined && { encryptionCertificate: stored.encryption_certificate }),
    requestsSigned: stored.requests_signed,
    ...(stored.metadata_url !== undefined && { metadataUrl: stored.metadata_url }),
  }),
}
