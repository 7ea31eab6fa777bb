/** What is asked of an LDAP server, and what its settings must say before it is asked. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { Entry } from 'ldapts'
import { type Millis, seconds } from '#core/clock'
import { parseDuration } from '#core/duration'
import { Refusal } from '#core/refusal'
import { ACCOUNT_ATTRIBUTES } from './ldap-account.ts'
import type { Connected, Server } from './ldap-connection.ts'
import { CHANGED, isMeant, type LdapSettings } from './ldap-entry.ts'
import { type FilterTemplate, parseFilter } from './ldap-filter.ts'
import { createGroupNames } from './ldap-group-names.ts'
import { createGroupSearch } from './ldap-groups.ts'

export interface Found {
  readonly found: number
  readonly entry: Entry | undefined
  /** URLs at which the server says to go on. */
  readonly references: readonly string[]
}

/** One use of the directory: what both the kind and `directories test` go through. */
export interface Ldap {
  readonly settings: LdapSettings
  /** In the order in which they are asked. */
  readonly servers: readonly Server[]
  /** Servers that others may point to. */
  readonly referred: readonly Server[]
  /** Throws where the server does not take the service account. */
  bindService(connected: Connected): Promise<void>
  /** All entries the filter finds (at most two are asked for) and which of them is meant. `base` unless it is `base_dn`. */
  find(connected: Connected, username: string, base?: string): Promise<Found>
  /** What they are called here. Throws an Error `group-limit` or `group-unreadable` where not all can be told. */
  groups(connected: Connected, entry: Entry, username: string): Promise<string[]>
  /** A question that costs the server nothing, to hear whether it answers. */
  look(connected: Connected): Promise<void>
  readonly users: FilterTemplate
  /** What is read of a person. */
  readonly attributes: readonly string[]
  readonly groupFilter: FilterTemplate
}

/** Throws `settings-invalid` with a sentence that names the key. Opens nothing. */
export async function createLdap(settings: LdapSettings, folder: string): Promise<Ldap> {
  const servers = await serversOf(settings, settings.url, folder)
  const referred = await serversOf(settings, settings.referrals, folder)
  const all = [...servers, ...referred]
  // [MS-ADTS] 3.1.1.3.1.5.1: a server takes no password in plain text, not even on loopback
  if (settings.password_change && settings.template === 'active-directory' && all.some(({ tls }) => tls === 'none'))
    throw new Refusal(
      'settings-invalid',
      `directories: ${settings.id}: \`password_change\` needs \`ldaps://\` or \`start_tls\``,
    )
  const names = settings.attributes
  const users = filterOf(settings, 'user_filter', ['username'])
  const groupFilter = filterOf(settings, 'group_filter', ['dn', 'username'])
  const timeLimit = Math.max(1, Math.floor(servers[0]!.timeout / 1000))
  const options = { scope: 'sub', derefAliases: 'never', timeLimit } as const
  const groups = createGroupSearch(settings, groupFilter, options)
  const groupNames = createGroupNames(settings)
  const wanted = [
    names.id,
    names.username,
    names.name,
    'cn',
    names.given_name,
    names.family_name,
    names.mail,
    names.language,
  ]
  const compared = users.compared.map(({ attribute }) => attribute)
  const also = [...Object.values(names.other), ...ACCOUNT_ATTRIBUTES[settings.template], ...CHANGED]
  const attributes = [...new Set([...wanted, ...also, ...compared, ...groups.attributes])]
  return {
    settings,
    servers,
    referred,
    users,
    attributes,
    groupFilter,
    async bindService({ client }) {
      if (settings.bind_dn !== '') await client.bind(settings.bind_dn, settings.bind_password)
    },
    async find({ client }, typed, base = settings.base_dn) {
      const username = withoutDomain(typed, settings.domain)
      const filter = users.fill({ username })
      const { searchEntries: entries, searchReferences: references } = await client.search(base, {
        ...options,
        filter,
        attributes,
        sizeLimit: 2,
        explicitBufferAttributes: [names.id, 'objectGUID', 'objectSid'],
      })
      const [first] = entries
      const meant = entries.length === 1 && first!.dn !== '' && isMeant(first!, users, username)
      return { found: entries.length, entry: meant ? first : undefined, references }
    },
    async groups(connected, entry, typed) {
      return groupNames(await groups.of(connected, entry, withoutDomain(typed, settings.domain)))
    },
    async look({ client }) {
      // RFC 4511 §4.5.1.8: `1.1` asks for no attribute
      await client.search(settings.base_dn, { scope: 'base', derefAliases: 'never', timeLimit, attributes: ['1.1'] })
    },
  }
}

/**
 * `sam` of `KESTREL\\sam`, where that is the domain of this directory.
 * ATTACK: somebody of another domain who types its name is not the one who has the same account name here.
 */
function withoutDomain(typed: string, domain: string | undefined): string {
  const prefix = `${domain?.toLowerCase()}\\`
  return domain !== undefined && typed.toLowerCase().startsWith(prefix) ? typed.slice(prefix.length) : typed
}

function filterOf(settings: LdapSettings, key: 'user_filter' | 'group_filter', places: string[]): FilterTemplate {
  try {
    return parseFilter(settings[key], places)
  } catch (error) {
    throw new Refusal(
      'settings-invalid',
      `directories: ${settings.id}: \`${key}\` cannot be used: ${error instanceof Error ? error.message : 'unknown'}`,
    )
  }
}

async function serversOf(
  settings: LdapSettings,
  written: string | readonly string[],
  folder: string,
): Promise<Server[]> {
  const wrong = (say: string) => new Refusal('settings-invalid', `directories: ${settings.id}: ${say}`)
  // a bind with a name and an empty password succeeds as nobody (RFC 4513 §5.1.2), and then finds nobody
  if (settings.bind_dn !== '' && !settings.bind_password) throw wrong('`bind_dn` needs `bind_password`')
  const ca = await caOf(settings, folder).catch(() => {
    throw wrong('`ca_file` cannot be read')
  })
  const timeout: Millis = parseDuration(settings.timeout) ?? seconds(5)
  const urls = typeof written === 'string' ? [written] : written
  return urls.map((text) => {
    const url = URL.parse(text)
    if (!url || url.hostname === '' || (url.pathname !== '' && url.pathname !== '/') || url.search !== '') {
      throw wrong('`url` or `referrals` is not of the form `ldaps://host:port`')
    }
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const ldaps = url.protocol === 'ldaps:'
    if (ldaps && settings.start_tls) throw wrong('`start_tls` is for `ldap://` only; `ldaps://` is TLS from the start')
    const tls = ldaps ? 'ldaps' : settings.start_tls ? 'start-tls' : 'none'
    // ATTACK: passwords in plain text on a network
    if (tls === 'none' && !(settings.insecure_plain_text && isLoopback(host))) {
      throw wrong(
        '`ldap://` sends passwords in plain text: use `ldaps://` or `start_tls: true` (`insecure_plain_text: true` only for a loopback server)',
      )
    }
    return { host, port: Number(url.port) || (ldaps ? 636 : 389), tls, ca, timeout }
  })
}

async function caOf(settings: LdapSettings, folder: string): Promise<string | undefined> {
  if (settings.ca_file === undefined) return undefined
  const pem = await readFile(resolve(folder, settings.ca_file), 'utf8')
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate')
  return pem
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
