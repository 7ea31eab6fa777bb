/** LemonLDAP::NG, an identity provider that is not ours for OpenID Connect and SAML: a copy of its own in a folder of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import {
  LEMONLDAP_FOLDERS,
  type LemonldapPerson,
  type LemonldapRelyingParty,
  type LemonldapServiceProvider,
  lemonldapFiles,
} from './lemonldap-files.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)
const COME_UP = 20_000
const LONGEST_LOG = 100_000

export interface LemonldapOptions {
  readonly people: readonly LemonldapPerson[]
  readonly relyingParties?: readonly LemonldapRelyingParty[]
  readonly serviceProviders?: readonly LemonldapServiceProvider[]
  /** One that was found free before, for who must know the address before it starts. */
  readonly port?: number
}

export interface Lemonldap {
  /** OpenID Connect: `${issuer}/.well-known/openid-configuration`. */
  readonly issuer: string
  /** SAML: the entity id of the identity provider is the address of its metadata. */
  readonly metadataUrl: string
  readonly port: number
  /** Of the key that signs tokens and assertions, as PEM. */
  certificate(): string
  /** What it wrote to its error output. */
  log(): string
  /** Ends it, and what it started. Its address and sessions stay for `start`. */
  stop(): Promise<void>
  /** Starts it again; with new keys where asked for. */
  start(changes?: { readonly newKeys?: boolean }): Promise<void>
  /** Ends it and deletes everything. */
  end(): Promise<void>
}

export async function startLemonldap(options: LemonldapOptions): Promise<Lemonldap> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-lemonldap-'))
  const port = options.port ?? (await freePort())
  const origin = `http://localhost:${port}`
  let running: ChildProcess | undefined
  let keys: { key: string; certificate: string } | undefined
  let said = ''

  async function stop(): Promise<void> {
    const child = running
    running = undefined
    if (child) await ended(child)
  }

  const self: Lemonldap = {
    issuer: origin,
    metadataUrl: `${origin}/saml/metadata`,
    port,
    certificate: () => keys!.certificate,
    log: () => said,
    stop,
    async start({ newKeys = false } = {}) {
      await stop()
      if (!keys || newKeys) keys = await makeKeys(folder)
      const { people, relyingParties = [], serviceProviders = [] } = options
      for (const name of LEMONLDAP_FOLDERS) await mkdir(join(folder, name), { recursive: true })
      const files = lemonldapFiles({ folder, origin, ...keys, people, relyingParties, serviceProviders })
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true })
        await writeFile(join(folder, name), text, { mode: 0o600 })
      }
      // several workers: a browser that opens a connection ahead of time must not keep the only one
      const how = ['--listen', `127.0.0.1:${port}`, '--workers', '3', '--preload-app', '-I', folder]
      const child = spawn('/usr/bin/starman', [...how, join(folder, 'portal.psgi')], {
        cwd: folder,
        env: {
          PATH: '/usr/bin:/bin',
          TMPDIR: folder,
          HOME: folder,
          KESTREL_FOLDER: folder,
          LLNG_DEFAULTCONFFILE: join(folder, 'lemonldap-ng.ini'),
          LLNG_DEFAULTLOGGER: 'Lemonldap::NG::Common::Logger::Std',
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      running = child
      child.stderr!.on('data', (data: Buffer) => {
        if (said.length < LONGEST_LOG) said += data
      })
      // a test run that is broken off must not leave it behind
      const last = () => child.kill('SIGTERM')
      process.once('exit', last)
      child.once('exit', () => process.off('exit', last))
      if (await answers(`${origin}/.well-known/openid-configuration`, child)) return
      await self.end()
      throw new Error(`LemonLDAP::NG did not start: ${said}`)
    },
    async end() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await self.start()
  return self
}

async function makeKeys(folder: string): Promise<{ key: string; certificate: string }> {
  const kind = ['-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=Kestrel sign-in']
  await run('openssl', ['req', '-x509', ...kind, '-keyout', 'idp.key', '-out', 'idp.pem'], { cwd: folder })
  const [key, certificate] = await Promise.all(
    ['idp.key', 'idp.pem'].map((name) => readFile(join(folder, name), 'utf8')),
  )
  return { key: key!, certificate: certificate! }
}

/** True when it answers; false when it ended before, or takes too long. */
async function answers(url: string, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + COME_UP
  while (performance.now() < until && child.exitCode === null) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => undefined,
    )
    // whatever else it answers it will go on answering
    if (status !== undefined) return status === 200
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

/** It ends its workers; the pipe that they all write to closes with the last of them. */
function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('close', () => resolve())
    child.kill('SIGTERM')
  })
}
