/** The files about certificates of clients change under a running gateway: taken where they can be used, without closing a connection. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import {
  makeAuthority,
  makeClientCertificate,
  makeRevocationList,
  makeServerCertificate,
} from '../support/certificates.ts'
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

async function expiring(config = 'portico.yaml', late = 0) {
  const out: string[] = []
  await runCommand({
    words: ['expiring', '--within', '30d', '--json', '--config', `${gateway.folder}/${config}`],
    verbs: VERBS,
    clock: { now: () => Date.now() + late },
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => out.push(line),
    err: (line) => out.push(line),
  })
  return JSON.parse(out[0]!) as { expiring: { what: string; say: string; at: string }[]; unknown?: { what: string }[] }
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

test('`expiring` tells of revocation lists whose successor should be there by now, each authority by its longest', async () => {
  const settings = JSON.parse(readFileSync(join(gateway.folder, 'portico.yaml'), 'utf8'))
  settings.client_certificates.crl_file = at('lists.pem')
  writeFileSync(join(gateway.folder, 'with-lists.yaml'), JSON.stringify(settings))
  await makeRevocationList(folder, 'day', { authority: 'partners' })
  await makeRevocationList(folder, 'week', { authority: 'partners', days: 7 })
  await makeRevocationList(folder, 'of-others', { authority: 'others', days: 4 })
  const use = (...files: string[]) =>
    writeFileSync(at('lists.pem'), files.map((file) => readFileSync(at(`${file}.crl`), 'utf8')).join(''))
  const told = async (days: number) =>
    (await expiring('with-lists.yaml', days * 86_400_000)).expiring
      .filter(({ what }) => what === 'revocation-list')
      .map(({ say, at: end }) => [
        /list of (\w+) authority/.exec(say)?.[1],
        Math.round((Date.parse(end) - Date.now()) / 86_400_000),
      ])
  use('day', 'of-others')
  expect(await told(0)).toEqual([])
  expect(await told(0.8)).toEqual([['partners', 1]])
  // it is over
  expect(await told(1.5)).toEqual([['partners', 1]])
  use('week', 'day', 'of-others')
  expect(await told(1.5)).toEqual([])
  expect(await told(3.2)).toEqual([['others', 4]])
  for (const text of ['x', '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n']) {
    writeFileSync(at('lists.pem'), text)
    const { unknown } = await expiring('with-lists.yaml')
    expect(unknown).toContainEqual(expect.objectContaining({ what: 'revocation-list', of: at('lists.pem') }))
  }
})
