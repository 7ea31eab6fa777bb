/** The files about certificates of clients change under a running gateway: taken where they can be used, without closing a connection. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { makeAuthority, makeClientCertificate, makeServerCertificate } from '../support/certificates.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'

const VERBS = await allVerbs()
let folder: string
let gateway: Gateway
let port: number
const at = (name: string) => join(folder, name)
const put = (from: string, to: string) => copyFileSync(at(from), at(to))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-mtls-files-'))
  for (const name of ['first', 'second']) {
    mkdirSync(at(name))
    await makeServerCertificate(at(name), 'DNS:localhost')
  }
  await Promise.all([makeAuthority(folder, 'partners'), makeAuthority(folder, 'others')])
  for (const authority of ['partners', 'others'])
    await makeClientCertificate(folder, `of-${authority}`, { authority, names: 'DNS:shop.example.com' })
  start()
  port = await freePort()
  gateway = await startGateway({
    policies: POLICIES,
    settings: {
      client_certificates: {
        ...{ listen: `127.0.0.1:${port}`, url: `https://localhost:${port}` },
        ...{ cert_file: at('server.pem'), key_file: at('server.key'), ca_file: at('authorities.pem') },
      },
    },
    apps: [
      {
        ...{ id: 'shop', template: 'machine', policy: 'plain' },
        oidc: { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'shop.example.com' },
      },
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
})
function start() {
  put('first/server.pem', 'server.pem')
  put('first/server.key', 'server.key')
  put('partners.pem', 'authorities.pem')
}
beforeEach(async () => {
  start()
  await gateway.server.reload()
})

/** By curl, with the certificate of the client; trusts the server only by that authority. Answers the status. */
async function ask(client: string, trusted: 'first' | 'second' = 'first'): Promise<number> {
  const url = `https://localhost:${port}/oauth2/token`
  const shown = ['--cert', at(`${client}.pem`), '--key', at(`${client}.key`), '--cacert', at(`${trusted}/ca.pem`)]
  const sent = ['--resolve', `localhost:${port}:127.0.0.1`, '-d', 'grant_type=client_credentials&client_id=shop']
  const { stdout } = await promisify(execFile)('curl', [
    '-s',
    '-o',
    '-',
    '-w',
    '\n%{http_code}',
    ...shown,
    ...sent,
    url,
  ])
  return Number(stdout.split('\n').at(-1))
}

describe('the certificate of the listener', () => {
  test.each(['in time', 'on SIGHUP'])(
    'is another one from the next connection on, %s; one that is open lives on',
    async (when) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const open = () =>
        new Promise<string>((resolve, reject) => {
          const asked = { host: 'localhost', port, path: '/oauth2/jwks', agent, ca: readFileSync(at('first/ca.pem')) }
          const sent = request(asked, (response) => {
            response.resume().on('end', () => resolve(`${response.statusCode} ${sent.reusedSocket}`))
          })
          sent.on('error', reject).end()
        })
      expect(await open()).toBe('200 false')
      put('second/server.pem', 'server.pem')
      put('second/server.key', 'server.key')
      await (when === 'in time' ? gateway.server.tick() : gateway.server.reload())
      expect(await open()).toBe('200 true')
      agent.destroy()
      expect(await ask('of-partners', 'second')).toBe(200)
      await expect(ask('of-partners', 'first')).rejects.toThrow()
    },
  )

  test.each([
    ['a certificate whose key is not there yet', () => put('second/server.pem', 'server.pem')],
    ['no certificate', () => writeFileSync(at('server.pem'), 'soon')],
    ['no file', () => rmSync(at('server.key'))],
  ])('stays where there is %s, and the log says so', async (_, spoil) => {
    spoil()
    await gateway.server.tick()
    expect(await ask('of-partners')).toBe(200)
    expect(gateway.log()).toContain('client-certificates-refused')
  })
})

describe('the authorities', () => {
  test('are those that stand there now', async () => {
    expect([await ask('of-partners'), await ask('of-others')]).toEqual([200, 401])
    writeFileSync(
      at('authorities.pem'),
      readFileSync(at('partners.pem'), 'utf8') + readFileSync(at('others.pem'), 'utf8'),
    )
    await gateway.server.tick()
    expect([await ask('of-partners'), await ask('of-others')]).toEqual([200, 200])
    put('others.pem', 'authorities.pem')
    await gateway.server.reload()
    expect([await ask('of-partners'), await ask('of-others')]).toEqual([401, 200])
  })

  test('stay where none is in the file', async () => {
    writeFileSync(at('authorities.pem'), '')
    await gateway.server.tick()
    expect([await ask('of-partners'), await ask('of-others')]).toEqual([200, 401])
  })
})

async function expiring() {
  const out: string[] = []
  await runCommand({
    words: ['expiring', '--within', '30d', '--json', '--config', `${gateway.folder}/portico.yaml`],
    verbs: VERBS,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => out.push(line),
    err: (line) => out.push(line),
  })
  return JSON.parse(out[0]!) as { expiring: { what: string; say: string }[]; unknown?: { what: string }[] }
}

test('`expiring` tells when they end, and what it cannot read', async () => {
  const { expiring: found } = await expiring()
  // they end within the same second
  const told = new Map(found.map(({ what, say }) => [what, say]))
  expect(told.get('listener-certificate')).toContain('server')
  expect(told.get('client-authority')).toContain('partners authority')
  rmSync(at('server.pem'))
  expect((await expiring()).unknown).toContainEqual(expect.objectContaining({ what: 'listener-certificate' }))
})
