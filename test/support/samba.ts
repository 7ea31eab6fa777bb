/**
 * A real Active Directory domain controller (Samba), provisioned into a folder of its own, on a loopback address of its
 * own, because its LDAP ports cannot be chosen. Only its LDAP server runs, as one process that is ended by its pid.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { formatProblem, loadSettings } from '#config'
import { makeServerCertificate } from './certificates.ts'
import type { LdapSettings } from './slapd.ts'

const run = promisify(execFile)

export const AD_BASE = 'DC=kestrel,DC=example'
export const AD_STAFF = `OU=Staff,${AD_BASE}`
export const AD_GROUPS = `OU=Groups,${AD_BASE}`
const ADMIN = 'administrator@kestrel.example'
const ADMIN_PASSWORD = 'Root of the test 1'
const SERVICE = `CN=portico,CN=Users,${AD_BASE}`
const SERVICE_PASSWORD = 'Service of the test 1'

export interface Samba {
  readonly address: string
  readonly ldapsUrl: string
  /** In plain text, for a test that looks at what is said. */
  readonly plain: { readonly host: string; readonly port: number }
  readonly caFile: string
  readonly folder: string
  /** Complete settings for it, as an operator writes them for it, with `changes` in place. */
  settings(changes?: Readonly<Record<string, unknown>>): LdapSettings
  /** Somebody in `AD_STAFF`; `lines` are further lines of LDIF. */
  person(account: string, password: string, lines?: readonly string[]): string
  /** A group in `AD_GROUPS`. */
  group(name: string, members: readonly string[]): string
  /** LDIF, as the administrator of the domain. */
  modify(ldif: string): Promise<void>
  /** LDIF of what is found, as the administrator sees it. */
  search(filter: string, ...attributes: string[]): Promise<string>
  /** Makes the password of this entry one of the year 2020. */
  agePassword(dn: string): Promise<void>
  end(): Promise<void>
}

export async function startSamba(): Promise<Samba> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-samba-'))
  const address = `127.53.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`
  await Promise.all([makeServerCertificate(folder, `IP:${address}`), provision(folder)])
  await mkdir(join(folder, 'run'))
  await writeFile(join(folder, 'smb.conf'), configuration(folder, address))
  const child = await serve(folder, address)
  const ldapsUrl = `ldaps://${address}`

  const asAdmin = ['-x', '-H', ldapsUrl, '-D', ADMIN, '-w', ADMIN_PASSWORD]
  const env = { ...process.env, LDAPTLS_CACERT: join(folder, 'ca.pem') }

  const self: Samba = {
    address,
    ldapsUrl,
    plain: { host: address, port: 389 },
    caFile: join(folder, 'ca.pem'),
    folder,
    settings(changes = {}) {
      const written = {
        id: 'office',
        kind: 'ldap',
        template: 'active-directory',
        domain: 'KESTREL',
        url: ldapsUrl,
        ca_file: join(folder, 'ca.pem'),
        base_dn: AD_BASE,
        bind_dn: SERVICE,
        bind_password: SERVICE_PASSWORD,
        ...changes,
      }
      // through the real settings, so that the template is the one people get
      const file = join(folder, 'portico.yaml')
      writeFileSync(file, JSON.stringify({ directories: [written] }))
      const { settings, problems } = loadSettings(file, {})
      if (!settings) throw new Error(problems.map(formatProblem).join('\n'))
      return settings.directories[0] as LdapSettings
    },
    person: (account, password, lines = []) =>
      [
        `dn: CN=${account},${AD_STAFF}`,
        'changetype: add',
        'objectClass: user',
        `sAMAccountName: ${account}`,
        `unicodePwd:: ${Buffer.from(`"${password}"`, 'utf16le').toString('base64')}`,
        ...(lines.some((line) => line.startsWith('userAccountControl:')) ? [] : ['userAccountControl: 512']),
        ...lines,
        '',
        '',
      ].join('\n'),
    group: (name, members) =>
      [
        `dn: CN=${name},${AD_GROUPS}`,
        'changetype: add',
        'objectClass: group',
        `sAMAccountName: ${name}`,
        ...members.map((member) => `member: ${member}`),
        '',
        '',
      ].join('\n'),
    async modify(changes) {
      const file = join(folder, 'changes.ldif')
      await writeFile(file, changes)
      await run('ldapmodify', [...asAdmin, '-f', file], { env })
    },
    async search(filter, ...attributes) {
      const options = [...asAdmin, '-LLL', '-o', 'ldif-wrap=no', '-b', AD_BASE, filter, ...attributes]
      return (await run('ldapsearch', options, { env })).stdout
    },
    async agePassword(dn) {
      const file = join(folder, 'age.ldif')
      await writeFile(file, `dn: ${dn}\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 132223104000000000\n`)
      // no client may do this: into the database itself, past what keeps watch over passwords
      const options = ['-H', join(folder, 'domain/private/sam.ldb'), '--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0']
      await run('ldbmodify', [...options, file], { env: { ...process.env, TDB_NO_FSYNC: '1' } })
    },
    async end() {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      if (child.exitCode === null && child.pid) {
        process.kill(child.pid, 'SIGKILL')
        await gone
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
  await self.modify(
    `dn: ${AD_STAFF}\nchangetype: add\nobjectClass: organizationalUnit\n\n` +
      `dn: ${AD_GROUPS}\nchangetype: add\nobjectClass: organizationalUnit\n\n` +
      self.person('portico', SERVICE_PASSWORD).replace(`CN=portico,${AD_STAFF}`, SERVICE),
  )
  return self
}

/** The domain in `FOLDER/domain`. No DNS, no Kerberos service, no file shares: nothing of them is used. */
async function provision(folder: string): Promise<void> {
  const options = [
    '--realm=KESTREL.EXAMPLE',
    '--domain=KESTREL',
    '--server-role=dc',
    '--dns-backend=NONE',
    '--host-name=dc1',
    '--host-ip=127.0.0.1',
    '--host-ip6=::1',
    `--adminpass=${ADMIN_PASSWORD}`,
    `--targetdir=${join(folder, 'domain')}`,
  ]
  // what is lost when the machine stops in the middle of a test is lost
  await run('samba-tool', ['domain', 'provision', ...options], { env: { ...process.env, TDB_NO_FSYNC: '1' } })
}

const configuration = (folder: string, address: string) => `
[global]
netbios name = DC1
realm = KESTREL.EXAMPLE
workgroup = KESTREL
server role = active directory domain controller
server services = ldap
private dir = ${join(folder, 'domain/private')}
state directory = ${join(folder, 'domain/state')}
lock directory = ${join(folder, 'domain')}
cache directory = ${join(folder, 'domain/cache')}
binddns dir = ${join(folder, 'domain/bind-dns')}
pid directory = ${join(folder, 'run')}
ncalrpc dir = ${join(folder, 'run/ncalrpc')}
winbindd socket directory = ${join(folder, 'run/winbindd')}
log file = ${join(folder, 'log')}
interfaces = ${address}/8
bind interfaces only = yes
ldap server require strong auth = no
tls enabled = yes
tls keyfile = ${join(folder, 'server.key')}
tls certfile = ${join(folder, 'server.pem')}
tls cafile = ${join(folder, 'ca.pem')}
`

/** Resolves when it listens. One process, in the foreground, so that its pid is the child's. */
async function serve(folder: string, address: string): Promise<ChildProcess> {
  const options = ['--foreground', '--no-process-group', '--model=single', '--debug-stdout', '--debuglevel=1']
  const child = spawn('samba', ['--configfile', join(folder, 'smb.conf'), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TDB_NO_FSYNC: '1' },
  })
  // a test run that is broken off must not leave it behind
  const last = () => child.kill('SIGKILL')
  process.once('exit', last)
  child.once('exit', () => process.off('exit', last))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said = (said + data).slice(-4000)
    })
  for (let tries = 0; tries < 2000 && child.exitCode === null; tries++) {
    if (await accepts(address, 636)) return child
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill('SIGKILL')
  throw new Error(`samba does not listen on ${address}: ${said}`)
}

const accepts = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
