/** A real OpenLDAP server on free loopback ports, with TLS, in a folder of its own; ended by its pid. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Directory } from '#config'
import { makeAuthority, makeServerCertificate } from './certificates.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)
const SLAPD = '/usr/sbin/slapd'
const SLAPADD = '/usr/sbin/slapadd'

export type LdapSettings = Extract<Directory, { kind: 'ldap' }>

export interface SlapdPerson {
  readonly uid: string | readonly string[]
  readonly name: string
  readonly password?: string
  readonly mail?: string
  readonly language?: string
  /** Below `ou=people`, like `ou=stores`; made when needed. */
  readonly ou?: string
  readonly uuid?: string
  /** Further lines of LDIF. */
  readonly lines?: readonly string[]
  /** Only where the server counts. */
  readonly usn?: number
  /** `modifyTimestamp`; now unless given. */
  readonly changed?: string
}

export interface Slapd {
  readonly url: string
  readonly ldapsUrl: string
  readonly caFile: string
  /** Another authority, which signed nothing here. */
  readonly otherCaFile: string
  readonly folder: string
  readonly port: number
  /** Complete settings for it, over ldaps, with `changes` in place. */
  settings(changes?: Partial<LdapSettings>): LdapSettings
  dn(uid: string): string
  /** Ends the process and waits until it has gone. */
  stop(): Promise<void>
  /** Starts it again on the same ports with the same data. */
  start(): Promise<void>
  /** LDIF changes, as the root of the directory. */
  modify(ldif: string): Promise<void>
  /** Stops it and deletes everything. */
  end(): Promise<void>
}

export const BASE = 'dc=kestrel,dc=example'
const ROOT = `cn=admin,${BASE}`
const ROOT_PASSWORD = 'root of the test'
const SERVICE = `cn=portico,${BASE}`
const SERVICE_PASSWORD = 'service of the test'

/** Lines of `slapd.conf` that most tests do without. */
export interface SlapdExtra {
  /** Before it: `moduleload …`. */
  readonly modules?: string
  /** Of the database: `overlay …` with its options, limits. */
  readonly database?: string
  /** Before the usual rules: `access to …`. */
  readonly access?: string
  /** What the root says besides, as LDIF: `highestCommittedUSN` and `dsServiceName` as of Active Directory. */
  readonly counting?: string
}

export async function startSlapd(
  people: readonly SlapdPerson[],
  groups: Readonly<Record<string, readonly string[]>> = {},
  extra: SlapdExtra = {},
): Promise<Slapd> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-slapd-'))
  const [port, tlsPort] = await Promise.all([freePort(), freePort()])
  await mkdir(join(folder, 'data'))
  const names = 'IP:127.0.0.1,DNS:localhost'
  await Promise.all([makeServerCertificate(folder, names), makeAuthority(folder, 'other')])
  await writeFile(join(folder, 'slapd.conf'), configuration(folder, extra))
  if (extra.counting) await writeFile(join(folder, 'root.ldif'), extra.counting)
  await writeFile(join(folder, 'people.ldif'), ldif(people, groups))
  await run(SLAPADD, ['-q', '-f', join(folder, 'slapd.conf'), '-l', join(folder, 'people.ldif')])
  const url = `ldap://127.0.0.1:${port}`
  const ldapsUrl = `ldaps://127.0.0.1:${tlsPort}`
  let running: ChildProcess | undefined

  const self: Slapd = {
    url,
    ldapsUrl,
    folder,
    port,
    caFile: join(folder, 'ca.pem'),
    otherCaFile: join(folder, 'other.pem'),
    dn: (uid) => `uid=${escapeDn(uid)},ou=people,${BASE}`,
    settings: (changes = {}) => ({
      id: 'staff',
      kind: 'ldap',
      template: 'openldap',
      url: ldapsUrl,
      start_tls: false,
      ca_file: join(folder, 'ca.pem'),
      insecure_plain_text: false,
      bind_dn: SERVICE,
      bind_password: SERVICE_PASSWORD,
      base_dn: `ou=people,${BASE}`,
      user_filter: '(&(objectClass=inetOrgPerson)(uid={username}))',
      group_base_dn: `ou=groups,${BASE}`,
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
        other: {},
      },
      groups_from: 'search',
      nested_groups: false,
      groups: { map: {}, most: 1000, depth: 10 },
      password_change: false,
      referrals: [],
      timeout: '5s',
      sync_full: '24h',
      sync_most_gone: 10,
      ...changes,
    }),
    async start() {
      // -d keeps it in the foreground, so that its pid is the child's
      const child = spawn(SLAPD, ['-f', join(folder, 'slapd.conf'), '-h', `${url}/ ${ldapsUrl}/`, '-d', 'stats'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      running = child
      // a test run that is broken off must not leave it behind
      const last = () => child.kill('SIGKILL')
      process.once('exit', last)
      child.once('exit', () => process.off('exit', last))
      await new Promise<void>((resolve, reject) => {
        let said = ''
        child.stderr!.on('data', (data: Buffer) => {
          said = (said + data).slice(-4000)
          if (said.includes('slapd starting')) resolve()
        })
        child.once('error', reject)
        child.once('exit', (code) => reject(new Error(`slapd ended with ${code}: ${said}`)))
      })
      // it says so before it listens
      await Promise.all([accepting(port), accepting(tlsPort)])
    },
    async stop() {
      const child = running
      running = undefined
      if (!child?.pid || child.exitCode !== null) return
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      process.kill(child.pid, 'SIGKILL')
      await gone
    },
    async modify(changes) {
      const file = join(folder, 'changes.ldif')
      await writeFile(file, changes)
      await run('ldapmodify', ['-x', '-H', url, '-D', ROOT, '-w', ROOT_PASSWORD, '-f', file])
    },
    async end() {
      await self.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await self.start()
  return self
}

/** As far as a sync looks at it; the names of Active Directory under numbers of our own. */
const countingSchema = (folder: string) => `
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'uSNChanged' EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'highestCommittedUSN' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.3 NAME 'dsServiceName' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.4 NAME 'counted' SUP top AUXILIARY MAY uSNChanged )
rootDSE ${join(folder, 'root.ldif')}
`

const configuration = (folder: string, { modules = '', database = '', access = '', counting }: SlapdExtra) => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
${modules}
${counting ? countingSchema(folder) : ''}
pidfile ${join(folder, 'slapd.pid')}
argsfile ${join(folder, 'slapd.args')}
TLSCACertificateFile ${join(folder, 'ca.pem')}
TLSCertificateFile ${join(folder, 'server.pem')}
TLSCertificateKeyFile ${join(folder, 'server.key')}
TLSVerifyClient never
database mdb
maxsize 1073741824
suffix "${BASE}"
rootdn "${ROOT}"
rootpw ${JSON.stringify(ROOT_PASSWORD)}
directory ${join(folder, 'data')}
dbnosync
index uid,cn,member,entryUUID,modifyTimestamp,objectClass eq
${/^sizelimit/m.test(database) ? '' : `limits dn.exact="${SERVICE}" size.prtotal=unlimited`}
${access}
access to attrs=userPassword by self write by anonymous auth by * none
access to * by dn.exact="${SERVICE}" read by * none
${database}
`

function ldif(people: readonly SlapdPerson[], groups: Readonly<Record<string, readonly string[]>>): string {
  const ous = new Set(people.flatMap(({ ou }) => (ou ? [ou] : [])))
  const entry = (lines: readonly (string | undefined)[]) =>
    `${lines.filter((line) => line !== undefined).join('\n')}\n\n`
  let text = entry([
    `dn: ${BASE}`,
    'objectClass: dcObject',
    'objectClass: organization',
    'o: Kestrel Mobile',
    'dc: kestrel',
  ])
  text += entry([
    `dn: ${SERVICE}`,
    'objectClass: organizationalRole',
    'objectClass: simpleSecurityObject',
    'cn: portico',
    `userPassword: ${SERVICE_PASSWORD}`,
  ])
  for (const ou of ['people', 'groups'])
    text += entry([`dn: ou=${ou},${BASE}`, 'objectClass: organizationalUnit', `ou: ${ou}`])
  for (const ou of ous)
    text += entry([`dn: ${ou},ou=people,${BASE}`, 'objectClass: organizationalUnit', `ou: ${ou.slice(3)}`])
  for (const person of people) {
    const uids = typeof person.uid === 'string' ? [person.uid] : person.uid
    const parts = person.name.split(' ')
    text += entry([
      b64('dn', `uid=${escapeDn(uids[0]!)},${person.ou ? `${person.ou},` : ''}ou=people,${BASE}`),
      'objectClass: inetOrgPerson',
      ...(person.usn === undefined ? [] : ['objectClass: counted', `uSNChanged: ${person.usn}`]),
      ...uids.map((uid) => b64('uid', uid)),
      b64('cn', person.name),
      b64('givenName', parts[0]!),
      b64('sn', parts.slice(1).join(' ') || person.name),
      person.mail && b64('mail', person.mail),
      person.language && `preferredLanguage: ${person.language}`,
      person.password && b64('userPassword', person.password),
      person.uuid && `entryUUID: ${person.uuid}`,
      ...(person.lines ?? []),
      person.changed && `modifyTimestamp: ${person.changed}`,
    ])
  }
  for (const [name, members] of Object.entries(groups)) {
    const dns = members.map((uid) => b64('member', uid.includes('=') ? uid : `uid=${escapeDn(uid)},ou=people,${BASE}`))
    text += entry([
      b64('dn', `cn=${escapeDn(name)},ou=groups,${BASE}`),
      'objectClass: groupOfNames',
      b64('cn', name),
      ...dns,
      'modifyTimestamp: 20240101000000Z',
    ])
  }
  return text
}

/** RFC 4514 §2.4, every special character as its hex pair. */
const escapeDn = (value: string) =>
  value.replace(/[,+"\\<>;=#]|^ | $/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`)

const b64 = (attribute: string, value: string) => `${attribute}:: ${Buffer.from(value).toString('base64')}`

/** Resolves when somebody listens there. */
async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    const socket = createConnection(port, '127.0.0.1')
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (connected) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`slapd does not listen on port ${port}`)
}
