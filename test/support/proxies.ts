/** Real proxies in front of an app that tells what it was sent: copies of their own on free ports, in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../src/cli/run.ts'
import { appsVerbs } from '../../src/cli/verbs/apps.ts'
import type { Gateway } from './gateway.ts'

export type ProxyName = 'nginx' | 'caddy' | 'haproxy'
const COME_UP = 20_000

/** What the app saw of a request, as it answers it. */
export interface Seen {
  readonly method: string
  readonly url: string
  /** Name and value one after the other, as they came. */
  readonly rawHeaders: readonly string[]
}

export interface EchoApp {
  readonly port: number
  /** Requests that reached the app. */
  readonly seen: readonly Seen[]
  close(): Promise<void>
}

export async function startEchoApp(): Promise<EchoApp> {
  const seen: Seen[] = []
  const server: Server = createServer(({ method = '', url = '', rawHeaders }, response) => {
    seen.push({ method, url, rawHeaders })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(seen.at(-1)))
  })
  server.on('upgrade', ({ method = '', url = '', rawHeaders, headers }, socket) => {
    seen.push({ method, url, rawHeaders })
    // RFC 6455 §4.2.2: HAProxy checks it
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const lines = [
      '101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
    ]
    socket.end(`HTTP/1.1 ${lines.join('\r\n')}\r\n\r\nuser=${headers['remote-user']}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface PrintedFile {
  readonly format: string
  readonly file: string
  readonly text: string
}

/** What `apps snippet ID --for PROXY` prints. */
export async function printedSnippet(gateway: Gateway, id: string, proxy: string): Promise<PrintedFile[]> {
  const lines: string[] = []
  const code = await runCommand({
    words: ['apps', 'snippet', id, '--for', proxy, '--json', '--config', join(gateway.folder, 'portico.yaml')],
    verbs: appsVerbs,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => lines.push(line),
    err: (line) => lines.push(line),
  })
  if (code !== 0) throw new Error(lines.join('\n'))
  return JSON.parse(lines.join('\n'))
}

/** Files of a server's certificate: where the printed text has others. */
export interface Tls {
  readonly certificate: string
  readonly key: string
  /** Both in one, as HAProxy wants it. */
  readonly together: string
}

/** Only what stands around the printed text, and where files are, is the test's. */
const RUN: Readonly<
  Record<ProxyName, (folder: string, files: readonly PrintedFile[], tls?: Tls) => { command: string; args: string[] }>
> = {
  nginx(folder, [site], tls) {
    const at = (text: string) =>
      tls
        ? text.replace(/\/etc\/nginx\/tls\/\S+\.crt/, tls.certificate).replace(/\/etc\/nginx\/tls\/\S+\.key/, tls.key)
        : text
    writeFileSync(join(folder, 'site.conf'), at(site!.text))
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `  ${name}_temp_path ${folder}/${name};`)
      .join('\n')
    const user = process.getuid?.() === 0 ? 'user root;\n' : ''
    writeFileSync(
      join(folder, 'nginx.conf'),
      `${user}daemon off;\npid ${folder}/nginx.pid;\nerror_log ${folder}/log warn;\nworker_processes 1;\nevents {}\nhttp {\n${paths}\n  access_log off;\n  include ${folder}/site.conf;\n}\n`,
    )
    return { command: '/usr/sbin/nginx', args: ['-e', `${folder}/log`, '-c', `${folder}/nginx.conf`] }
  },
  caddy(folder, [site], tls) {
    // it would get a certificate by itself
    const files = tls && `tls ${tls.certificate} ${tls.key}`
    const more = site!.text.includes('\n  tls {\n')
    const text = files
      ? site!.text.replace(more ? '\n  tls {\n' : ' {\n', more ? `\n  ${files} {\n` : ` {\n  ${files}\n`)
      : site!.text
    writeFileSync(join(folder, 'Caddyfile'), `{\n  admin off\n  auto_https off\n}\n${text}`)
    return { command: '/usr/bin/caddy', args: ['run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'] }
  },
  haproxy(folder, files, tls) {
    const [config, lua] = [
      files.find(({ format }) => format === 'haproxy')!,
      files.find(({ format }) => format === 'lua')!,
    ]
    writeFileSync(join(folder, 'portico.lua'), lua.text)
    const text = config.text.replace(lua.file, `${folder}/portico.lua`)
    writeFileSync(join(folder, 'haproxy.cfg'), tls ? text.replace(/\/etc\/haproxy\/tls\/\S+\.pem/, tls.together) : text)
    return { command: '/usr/sbin/haproxy', args: ['-db', '-f', `${folder}/haproxy.cfg`] }
  },
}

export interface RunningProxy {
  log(): string
  close(): Promise<void>
}

export async function startProxy(
  name: ProxyName,
  port: number,
  files: readonly PrintedFile[],
  tls?: Tls,
): Promise<RunningProxy> {
  const folder = mkdtempSync(join(tmpdir(), `portico-${name}-`))
  chmodSync(folder, 0o755)
  mkdirSync(join(folder, 'home'))
  const { command, args } = RUN[name](folder, files, tls)
  const said: string[] = []
  const env = { PATH: process.env['PATH'], HOME: join(folder, 'home'), XDG_DATA_HOME: join(folder, 'home') }
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(String(part)))
  const log = () => {
    try {
      return said.join('') + readFileSync(join(folder, 'log'), 'utf8')
    } catch {
      return said.join('')
    }
  }
  async function close(): Promise<void> {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  if (!(await answers(port, child))) {
    const why = log()
    await close()
    throw new Error(`${name} did not start: ${why}`)
  }
  return { log, close }
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + COME_UP
  while (performance.now() < until && child.exitCode === null) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', () => resolve(false))
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
    })
    if (up) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
