/** The settings of an LDAP directory, and what its template says where they say nothing. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { degraded } from './degraded.ts'
import { domains, link } from './federation.ts'
import { duration, id, secret } from './shapes.ts'

const attribute = z.string().regex(/^[A-Za-z][A-Za-z0-9.;-]{0,127}$/, 'expected the name of an attribute')

/** What differs between the servers that people have. The settings win, each value by itself. */
const TEMPLATES = Object.freeze({
  openldap: {
    user_filter: '(&(objectClass=inetOrgPerson)(uid={username}))',
    group_filter: '(&(objectClass=groupOfNames)(member={dn}))',
    attributes: {
      id: 'entryUUID',
      username: 'uid',
      name: 'cn',
      given_name: 'givenName',
      family_name: 'sn',
      mail: 'mail',
      group: 'cn',
      language: 'preferredLanguage',
    },
  },
  'active-directory': {
    // computers are users as well, but no persons
    user_filter:
      '(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))',
    // LDAP_MATCHING_RULE_IN_CHAIN: the server itself walks through groups in groups ([MS-ADTS] 3.1.1.3.4.4.3)
    group_filter: '(&(objectClass=group)(member:1.2.840.113556.1.4.1941:={dn}))',
    attributes: {
      id: 'objectGUID',
      username: 'sAMAccountName',
      name: 'displayName',
      given_name: 'givenName',
      family_name: 'sn',
      mail: 'mail',
      group: 'cn',
      language: 'preferredLanguage',
    },
  },
})

const ldapUrl = z.string().regex(/^ldaps?:\/\//, 'expected an `ldap://` or `ldaps://` URL')

const written = z.strictObject({
  id,
  kind: z.literal('ldap'),
  organisation: z.string().optional(),
  domains: domains.optional(),
  link: link.optional(),
  template: z
    .enum(['openldap', 'active-directory'])
    .default('openldap')
    .describe('What `user_filter`, `group_filter` and `attributes` are where they are left out'),
  url: z
    .union([ldapUrl, z.array(ldapUrl).min(1).max(8)], 'expected an `ldap://` or `ldaps://` URL, or a list of them')
    .describe('Of the server, or a list: the first that answers is asked'),
  referrals: z
    .array(ldapUrl)
    .max(8)
    .default([])
    .describe('Servers to which the ones in `url` may point; all other referrals are not followed'),
  start_tls: z.boolean().default(false).describe('Upgrade an ldap:// connection before anything is sent'),
  ca_file: z.string().optional().describe('PEM file with the certificate authority of the server'),
  insecure_plain_text: z
    .boolean()
    .default(false)
    .describe('Allow passwords over ldap:// without TLS; only for a loopback server'),
  bind_dn: z.string().default(''),
  bind_password: secret.optional(),
  base_dn: z.string(),
  domain: z
    .string()
    .regex(/^[^\\/:*?"<>|\p{C}\s]{1,15}$/u, 'expected a NetBIOS domain name, like `KESTREL`')
    .optional()
    .describe('Domain of Active Directory that people may type before their name, as in `KESTREL\\sam`'),
  user_filter: z.string().optional().describe('`{username}` is replaced by the escaped user name'),
  group_base_dn: z.string().optional(),
  group_filter: z.string().optional().describe('`{dn}` is replaced by the escaped DN of the person'),
  groups_from: z
    .enum(['search', 'member_of'])
    .default('search')
    .describe('Search with `group_filter`, or read the attribute `memberOf` of the person'),
  nested_groups: z
    .boolean()
    .default(false)
    .describe('Walk upwards through groups in groups, where the server does not do that itself'),
  groups: z
    .strictObject({
      only: z.array(z.string().min(1)).optional().describe('Names or DNs of groups to take over, `*` for any text'),
      map: z
        .record(z.string(), z.array(z.string()).min(1))
        .default({})
        .describe('From a name or DN of a group to groups of ours'),
      most: z.int().min(1).max(5000).default(1000).describe('With more groups than this, they are unknown'),
      depth: z.int().min(1).max(50).default(10).describe('With groups in groups deeper than this, they are unknown'),
    })
    .prefault({}),
  attributes: z
    .strictObject({
      id: attribute.optional(),
      username: attribute.optional(),
      name: attribute.optional(),
      given_name: attribute.optional(),
      family_name: attribute.optional(),
      mail: attribute.optional(),
      group: attribute.optional(),
      language: attribute.optional(),
      other: z
        .record(z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'expected a name like `employee_number`'), attribute)
        .default({})
        .describe('Attributes of people here to attributes there'),
    })
    .prefault({}),
  password_change: z
    .boolean()
    .default(false)
    .describe('People change their password of this directory on the account page'),
  timeout: duration.default('5s'),
  degraded,
  sync: duration
    .refine((text) => (parseDuration(text) ?? 0) >= parseDuration('1m')!, 'expected at least `1m`')
    .optional()
    .describe('How often a running server brings it over by itself; without it, only `directories sync` does'),
  sync_full: duration
    .default('24h')
    .describe('A sync reads everybody after so long, which is how it finds out who was deleted'),
  sync_most_gone: z
    .int()
    .min(0)
    .max(100)
    .default(10)
    .describe('Percent of its people who may be missing in a sync; with more, nobody is switched off'),
})

export const ldapDirectory = written.transform(({ attributes, user_filter, group_filter, ...rest }) => {
  const template = TEMPLATES[rest.template]
  const { other, ...names } = attributes
  const own = Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined))
  return {
    ...rest,
    user_filter: user_filter ?? template.user_filter,
    group_filter: group_filter ?? template.group_filter,
    attributes: { ...template.attributes, ...own, other } as typeof template.attributes & { other: typeof other },
  }
})
