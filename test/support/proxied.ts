/** One app behind each proxy, with the configuration that `apps snippet` prints: in clear on localhost, or all of it over TLS. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { makeServerCertificate } from './certificates.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { fetchPage, fetchPageOverTls } from './page-fetch.ts'
import { POLICIES } from './policies.ts'
import { freePort } from './ports.ts'
import {
  type EchoApp,
  type ProxyName,
  printedSnippet,
  type RunningProxy,
  startEchoApp,
  startProxy,
  type Tls,
} from './proxies.ts'

export const PROXIES: readonly ProxyName[] = ['nginx', 'caddy', 'haproxy']
export type Scheme = 'http' | 'https'
export const NAME = 'Зоя de Vries'
const ISSUER_HOST = 'id.kestrel.example'

const RULES = [
  { paths: ['/public/*'], methods: ['GET'], access: 'public' as const },
  { paths: ['/admin/*'], access: 'deny' as const },
  { paths: ['/safe/*'], access: 'sign-in' as const, strength: 'two-factors' },
]

export interface Proxied {
  readonly gateway: Gateway
  /** As browsers know it. */
  readonly issuer: string
  readonly echo: EchoApp
  origin(proxy: ProxyName): string
  readonly fetch: typeof fetchPage
  request(
    proxy: ProxyName,
    options: RequestOptions,
    answered: (answer: IncomingMessage) => void,
  ): ReturnType<typeof httpRequest>
  connect(proxy: ProxyName, connected: () => void): Socket
  close(): Promise<void>
}

export async function openProxied(scheme: Scheme): Promise<Proxied> {
  const secure = scheme === 'https'
  const folder = mkdtempSync(join(tmpdir(), 'portico-proxied-'))
  const echo = await startEchoApp()
  const ports = new Map<ProxyName, number>()
  for (const name of PROXIES) ports.set(name, await freePort())
  // a printed configuration is without TLS for names of this machine only
  const hostOf = (name: ProxyName) => (secure ? `${name}.kestrel.example` : 'localhost')
  const issuerPort = await freePort()
  const tls = secure ? await certificates(folder) : undefined
  const gateway = await startGateway({
    policies: POLICIES,
    host: '127.0.0.1',
    settings: {
      proxies: ['127.0.0.1', '::1'],
      ...(secure ? { issuer: `https://${ISSUER_HOST}:${issuerPort}` } : {}),
    },
    people: [
      {
        username: 'zoya',
        name: NAME,
        mail: 'zoya@kestrel.example',
        mailVerified: true,
        groups: ['staff', 'night shift'],
      },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    apps: PROXIES.map((name) => ({
      id: `wiki-${name}`,
      name: 'Wiki',
      policy: 'plain',
      audience: ['staff'],
      forward_auth: {
        hosts: [`${hostOf(name)}:${ports.get(name)}`],
        headers: ['Auth-User'],
        upstream: `http://127.0.0.1:${echo.port}`,
        rules: RULES,
      },
    })),
  })
  const running: RunningProxy[] = []
  for (const name of PROXIES)
    running.push(await startProxy(name, ports.get(name)!, await printedSnippet(gateway, `wiki-${name}`, name), tls))
  if (tls) {
    const text = `https://${ISSUER_HOST}:${issuerPort} {\n  reverse_proxy ${new URL(gateway.issuer).host}\n}\n`
    running.push(await startProxy('caddy', issuerPort, [{ format: 'caddy', file: 'Caddyfile', text }], tls))
  }
  const ca = tls && readFileSync(join(folder, 'ca.pem'), 'utf8')
  const place = (name: ProxyName) => ({ host: '127.0.0.1', port: ports.get(name)! })
  return {
    gateway,
    issuer: secure ? `https://${ISSUER_HOST}:${issuerPort}` : gateway.issuer,
    echo,
    origin: (name) => `${scheme}://${hostOf(name)}:${ports.get(name)}`,
    fetch: ca === undefined ? fetchPage : fetchPageOverTls(ca),
    request: (name, options, answered) =>
      ca === undefined
        ? httpRequest({ ...place(name), ...options }, answered)
        : httpsRequest({ ...place(name), ca, servername: hostOf(name), ...options }, answered),
    connect: (name, connected) =>
      ca === undefined
        ? connect(ports.get(name)!, '127.0.0.1', connected)
        : connectTls({ ...place(name), ca, servername: hostOf(name), ALPNProtocols: ['http/1.1'] }, connected),
    async close() {
      for (const proxy of running) await proxy.close()
      await gateway.close()
      await echo.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Of an authority of the test, for every name that is used. */
async function certificates(folder: string): Promise<Tls> {
  const names = [ISSUER_HOST, ...PROXIES.map((name) => `${name}.kestrel.example`)]
  await makeServerCertificate(folder, names.map((name) => `DNS:${name}`).join(','))
  const [certificate, key] = ['server.pem', 'server.key'].map((name) => join(folder, name)) as [string, string]
  const together = join(folder, 'together.pem')
  writeFileSync(together, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
  return { certificate, key, together }
}
