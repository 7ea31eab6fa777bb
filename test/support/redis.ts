/** Real Redis servers on free loopback ports, in folders of their own; ended by their pids. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeServerCertificate } from './certificates.ts'
import { freePort } from './ports.ts'
import { answers } from './processes.ts'

const run = promisify(execFile)

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly folder: string
  /** What `redis-cli` prints. */
  ask(...command: string[]): Promise<string>
  /** `SIGKILL` unless told otherwise; resolves when the process has gone. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Stands still, with all its connections open, until `continue`. */
  freeze(): void
  continue(): void
  /** On the same port with the same folder, and what `CONFIG REWRITE` or Sentinel wrote there. */
  start(): Promise<void>
  /** Ends it and deletes everything. */
  end(): Promise<void>
}

interface Serving {
  readonly program?: 'redis-server' | 'redis-sentinel'
  /** Lines of its settings, behind the usual ones. */
  readonly lines?: readonly string[]
  /** Arguments of `redis-cli` to reach it. */
  readonly reachedBy?: readonly string[]
  /** Where it speaks TLS, and only that: the files of its certificate. */
  readonly tls?: Certificate | undefined
}

export interface Certificate {
  readonly caFile: string
  readonly lines: readonly string[]
  remove(): Promise<void>
}

/** For `127.0.0.1` and `localhost`, by an authority of its own. */
export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-redis-tls-'))
  await chmod(folder, 0o755)
  await makeServerCertificate(folder, 'IP:127.0.0.1,DNS:localhost')
  const caFile = join(folder, 'ca.pem')
  const files = { 'tls-cert-file': 'server.pem', 'tls-key-file': 'server.key', 'tls-ca-cert-file': 'ca.pem' }
  return {
    caFile,
    lines: [
      ...Object.entries(files).map(([name, file]) => `${name} ${join(folder, file)}`),
      ...['tls-auth-clients no', 'tls-replication yes', 'tls-cluster yes'],
    ],
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

async function serve({ program = 'redis-server', lines = [], reachedBy = [], tls }: Serving): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-redis-'))
  const port = await freePort()
  const file = join(folder, 'redis.conf')
  const listening = tls ? ['port 0', `tls-port ${port}`, ...tls.lines] : [`port ${port}`]
  const secured = tls ? ['--tls', '--cacert', tls.caFile] : []
  const all = ['bind 127.0.0.1', ...listening, `dir ${folder}`, 'daemonize no', 'loglevel notice', ...lines]
  await writeFile(file, `${all.join('\n')}\n`)
  let running: ChildProcess | undefined
  const server: RedisServer = {
    port,
    folder,
    url: `redis://127.0.0.1:${port}`,
    async ask(...command) {
      const { stdout } = await run('redis-cli', ['-p', String(port), ...secured, ...reachedBy, ...command])
      return stdout.trimEnd()
    },
    async start() {
      const child = spawn(program, [file], { stdio: 'ignore' })
      running = child
      // a test run that is broken off must not leave it behind
      const last = () => child.kill('SIGKILL')
      process.once('exit', last)
      child.once('exit', () => process.off('exit', last))
      if (!(await answers(port, child))) throw new Error(`${program} has not come up`)
    },
    async stop(signal = 'SIGKILL') {
      const child = running
      running = undefined
      if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      process.kill(child.pid, 'SIGCONT')
      process.kill(child.pid, signal)
      await gone
    },
    freeze: () => void process.kill(running!.pid!, 'SIGSTOP'),
    continue: () => void process.kill(running!.pid!, 'SIGCONT'),
    async end() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

/** As docs/operations.md says that a Redis has to be. */
const KEEPING = ['save ""', 'appendonly yes', 'appendfsync always', 'maxmemory 256mb', 'maxmemory-policy noeviction']

/** One server. `lines` win over the usual ones. */
export const startRedis = (...lines: string[]): Promise<RedisServer> => serve({ lines: [...KEEPING, ...lines] })

/** One server that speaks TLS only, with a certificate of an authority of its own. */
export async function startTlsRedis(): Promise<RedisServer & { readonly caFile: string }> {
  const tls = await makeCertificate()
  const server = await serve({
    lines: [...KEEPING, 'requirepass "the secret of Redis"'],
    reachedBy: ['--no-auth-warning', '-a', 'the secret of Redis'],
    tls,
  })
  return {
    ...server,
    caFile: tls.caFile,
    url: `rediss://:the%20secret%20of%20Redis@localhost:${server.port}`,
    async end() {
      await server.end()
      await tls.remove()
    },
  }
}

export interface RedisGroup {
  /** For `state.url`. */
  readonly url: string
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** The one that the sentinels name. */
  primary(): Promise<RedisServer>
  /** Resolves when so many replicas follow the primary. */
  followed(by: number): Promise<void>
  end(): Promise<void>
}

/** Asks again until the answer is right; what is asked about happens in another process. */
export async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + 30_000
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined && right(answer)) return answer
    if (performance.now() > end) throw new Error(`still not so after 30 s: ${String(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A primary with replicas, and three sentinels that have a password; `down` milliseconds of silence and a server is down. */
export async function startSentinel({
  replicas = 2,
  down = 1000,
  tls,
}: {
  replicas?: number
  down?: number
  tls?: Certificate
} = {}): Promise<RedisGroup> {
  const secret = ['requirepass secret', 'masterauth secret']
  const reachedBy = ['--no-auth-warning', '-a', 'secret']
  const following = ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', ...secret]
  const primary = await serve({ lines: [...KEEPING, ...following], reachedBy, tls })
  const others = await Promise.all(
    Array.from({ length: replicas }, () =>
      serve({ lines: [...KEEPING, ...following, `replicaof 127.0.0.1 ${primary.port}`], reachedBy, tls }),
    ),
  )
  const servers = [primary, ...others]
  const sentinels = await Promise.all(
    [1, 2, 3].map(() =>
      serve({
        program: 'redis-sentinel',
        lines: [
          'requirepass watch',
          'sentinel sentinel-pass watch',
          `sentinel monitor kestrel 127.0.0.1 ${primary.port} 2`,
          'sentinel auth-pass kestrel secret',
          `sentinel down-after-milliseconds kestrel ${down}`,
          'sentinel failover-timeout kestrel 6000',
          'sentinel parallel-syncs kestrel 1',
        ],
        reachedBy: ['--no-auth-warning', '-a', 'watch'],
        tls,
      }),
    ),
  )
  const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const group: RedisGroup = {
    url: `redis+sentinel://:secret@${addresses}/kestrel${tls ? '?tls=true' : ''}`,
    servers,
    sentinels,
    async primary() {
      const [, port] = (await sentinels[0]!.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'kestrel')).split('\n')
      return servers.find((server) => server.port === Number(port))!
    },
    async followed(by) {
      const follow = async () =>
        (await (await group.primary()).ask('INFO', 'replication')).match(/state=online/g)?.length
      await until(follow, (count) => (count ?? 0) >= by)
    },
    async end() {
      await Promise.all([...sentinels, ...servers].map((server) => server.end()))
    },
  }
  await group.followed(replicas)
  await Promise.all(
    sentinels.map((sentinel) =>
      until(
        () => sentinel.ask('SENTINEL', 'MASTER', 'kestrel'),
        (said) => /num-slaves\n(\d+)/.exec(said)?.[1] === String(replicas) && /num-other-sentinels\n2/.test(said),
      ),
    ),
  )
  return group
}

export interface RedisCluster {
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The node that has our slot. */
  holder(): Promise<RedisServer>
  end(): Promise<void>
}

/** Three primaries and, with `replicas`, one more node for each. */
export async function startCluster({
  replicas = 0,
  tls,
}: {
  replicas?: number
  tls?: Certificate
} = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: 3 * (1 + replicas) }, async () =>
      serve({
        lines: [
          ...KEEPING,
          'cluster-enabled yes',
          'cluster-config-file nodes.conf',
          'cluster-node-timeout 1500',
          'repl-diskless-sync-delay 0',
          // the usual one, 10,000 above, is beyond what these tests may take
          `cluster-port ${await freePort()}`,
        ],
        reachedBy: ['-c'],
        tls,
      }),
    ),
  )
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const secured = tls ? ['--tls', '--cacert', tls.caFile] : []
  const made = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes']
  await run('redis-cli', [...secured, ...made])
  for (const node of nodes)
    await until(
      () => node.ask('CLUSTER', 'INFO'),
      (said) => said.includes('cluster_state:ok'),
    )
  return {
    url: `redis+cluster://${addresses.join(',')}${tls ? '?tls=true' : ''}`,
    nodes,
    async holder() {
      const slot = Number(await nodes[0]!.ask('CLUSTER', 'KEYSLOT', '{portico}:'))
      const said = await Promise.any(nodes.map((node) => node.ask('CLUSTER', 'NODES')))
      for (const line of said.split('\n')) {
        const [, address = '', , , , , , , ...ranges] = line.split(' ')
        const has = ranges.some((range) => {
          const [first, last = first] = range.split('-').map(Number)
          return first! <= slot && slot <= last!
        })
        if (has && /master/.test(line) && !/fail/.test(line))
          return nodes.find(({ port }) => address.startsWith(`127.0.0.1:${port}@`))!
      }
      throw new Error('nobody has our slot')
    },
    async end() {
      await Promise.all(nodes.map((node) => node.end()))
    },
  }
}
