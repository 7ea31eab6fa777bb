/** The kit of a partner works as it is written: in a fresh folder, with nothing but what its README names. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { allVerbs, runCommand } from '#cli'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { contractOf } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'

const VERBS = await allVerbs()
const ORDERS = 'https://api.kestrel.example/orders'
const folder = mkdtempSync(join(tmpdir(), 'portico-kit-'))
let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: { ...POLICIES, 'm.yaml': 'policy: machines\nrules:\n  - { name: all, allow: {} }\n' },
  })
  const orders = { api: 'orders', name: 'Orders', audience: ORDERS, policy: 'machines' }
  const scopes = { 'orders:read': { en: 'Read orders', nl: 'Bestellingen lezen' } }
  const { problems } = await gateway.server.house.apis.apply(
    [{ file: 'orders.yaml', text: JSON.stringify({ ...orders, scopes }) }],
    { by: 'test' },
  )
  expect(problems).toEqual([])
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const APIS = { apis: { orders: ['orders:read'] } }
async function apply(id: string, authentication: object) {
  const contract = contractOf(id, { authentication, ...APIS, quota: { tokens: '100/1m' }, expires: '2099-12-31' })
  const applied = await gateway.server.house.catalog.partners.apply([contract], { by: 'test' })
  expect(applied.problems).toEqual([])
  return applied.changes[0]!.clientSecret
}
async function kit(id: string, place = join(folder, id)): Promise<{ code: number; said: string }> {
  const said: string[] = []
  const code = await runCommand({
    words: ['partners', 'kit', id, '--out', place, '--config', `${gateway.folder}/portico.yaml`],
    verbs: VERBS,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => said.push(line),
    err: (line) => said.push(line),
  })
  return { code, said: said.join('\n') }
}

/** Not waited for in a way that would keep the gateway, which is in this process, from answering. */
function run(id: string, program: string, ...words: string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(program, words, { cwd: join(folder, id), env: { PATH: process.env['PATH'] } })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })))
}
/** Debian's Python has the module. */
const PROGRAMS = [
  ['curl', ['./smoke.sh']],
  ['Node', [process.execPath, 'smoke.mjs']],
  ['Python', ['/usr/bin/python3', 'smoke.py']],
] as const
const tryAll = async (id: string) => {
  // what `npm install` would bring
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, id, 'node_modules'))
  for (const [name, [program, ...words]] of PROGRAMS) {
    const { code, out } = await run(id, program, ...words)
    expect([code, out], name).toEqual([
      0,
      expect.stringMatching(new RegExp(`^ok: ${name} has a token for orders:read`)),
    ])
  }
}

test('with a key: made as the README says, sent back, and all three programs get a token', async () => {
  // before anything was sent back there is some key of somebody
  const { keys } = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  await apply('acme', { method: 'private_key_jwt', jwks: { keys: keys.slice(0, 1) } })
  expect(await kit('acme')).toMatchObject({ code: 0 })
  expect((await run('acme', './make-key.sh')).code).toBe(0)
  const jwks = JSON.parse(readFileSync(join(folder, 'acme/jwks.json'), 'utf8'))
  expect(Object.keys(jwks.keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use'])
  const early = await run('acme', './smoke.sh')
  expect([early.code, early.out]).toEqual([1, expect.stringContaining('invalid_client')])
  await apply('acme', { method: 'private_key_jwt', jwks })
  await tryAll('acme')
  // a second key is not made over the first one
  expect((await run('acme', './make-key.sh')).code).toBe(1)
}, 60_000)

test('with a secret: written into the settings, and all three programs get a token', async () => {
  const secret = await apply('shop', { method: 'client_secret_basic', allow_secret: 'their ERP cannot sign' })
  expect(await kit('shop')).toMatchObject({ code: 0 })
  expect(readdirSync(join(folder, 'shop'))).not.toContain('make-key.sh')
  expect(
    await run('shop', 'sed', '-i', `s/^CLIENT_SECRET=.*/CLIENT_SECRET='${secret}'/`, 'settings.env'),
  ).toMatchObject({ code: 0 })
  await tryAll('shop')
}, 60_000)

describe('what stands in it', () => {
  test('is the partner’s own: nothing is left open, and tools can read the security scheme', () => {
    const readme = readFileSync(join(folder, 'acme/README.md'), 'utf8')
    expect(readme).not.toMatch(/\{[a-z_]+\}|undefined/)
    expect(readme).toContain(`| Orders | \`${ORDERS}\` | \`orders:read\` |`)
    expect(readme).toContain('At most 100 tokens within 1m. The contract ends on 2099-12-31.')
    expect(parse(readFileSync(join(folder, 'acme/openapi-security.yaml'), 'utf8'))).toEqual({
      components: {
        securitySchemes: {
          gateway: {
            type: 'oauth2',
            flows: {
              clientCredentials: {
                tokenUrl: `${gateway.issuer}/oauth2/token`,
                scopes: { 'orders:read': 'Read orders' },
              },
            },
          },
        },
      },
      security: [{ gateway: ['orders:read'] }],
    })
  })

  test('is never written over what is there', async () => {
    expect(await kit('acme')).toEqual({ code: 2, said: expect.stringContaining('EEXIST') })
    await expect(kit('nobody')).resolves.toMatchObject({ code: 2, said: expect.stringContaining('partner-unknown') })
  })
})
