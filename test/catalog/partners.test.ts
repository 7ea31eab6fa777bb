/** Contracts of partners: read, planned, applied as apps, and back again. */
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { formatProblem } from '#config'
import { openHouse, type TestHouse } from './house.ts'

const open: TestHouse[] = []
const APIS = new Map([
  ['orders', { policy: 'machines', scopes: ['orders:read', 'orders:write'] }],
  ['stock', { policy: 'machines', scopes: ['stock:read'] }],
  ['billing', { policy: 'money', scopes: ['billing:read'] }],
])
async function house(policyNames?: () => readonly string[]): Promise<TestHouse> {
  const opened = await openHouse({ knownApis: APIS, ...(policyNames && { policyNames }) })
  open.push(opened)
  return opened
}
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close()
})

const jwk = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  kid,
})
const KEYS = { keys: [jwk('one'), jwk('two')] }
const KEY_LINE = JSON.stringify(KEYS)
const by = 'cli'

/** A contract as somebody writes it; each line may be another. */
const LINES = {
  partner: 'acme',
  name: 'Acme Repairs',
  organisation: 'partners/acme',
  contacts: '[{ name: Ann Cole, email: ann@acme.example }, { name: Night desk, email: noc@acme.example }]',
  authentication: `{ method: private_key_jwt, jwks: ${KEY_LINE} }`,
  networks: '[203.0.113.0/24, 2001:db8:7::/48]',
  apis: '{ orders: [orders:read] }',
  quota: '{ tokens: 600/1m, calls: 6000/1m }',
  expires: '2027-06-30',
}
function contract(change: Partial<Record<string, string | undefined>> = {}, file = 'partners/acme.yaml') {
  const lines = Object.entries({ ...LINES, ...change }).filter(([, value]) => value !== undefined)
  return { file, text: lines.map(([key, value]) => `${key}: ${value}\n`).join('') }
}
const actions = ({ changes }: { changes: readonly { id: string; action: string }[] }) =>
  changes.map(({ id, action }) => `${action} ${id}`)

test('a contract becomes an app that asks for itself, with what only contracts say beside it', async () => {
  const { catalog } = await house()
  const planned = await catalog.partners.apply([contract()], { by, dryRun: true })
  expect([planned.problems, actions(planned), planned.written]).toEqual([[], ['create acme'], false])
  expect(await catalog.apps.find('acme')).toBeUndefined()
  const applied = await catalog.partners.apply([contract()], { by })
  expect(applied.changes[0]).not.toHaveProperty('clientSecret')
  expect(await catalog.apps.find('acme')).toMatchObject({
    ...{ name: 'Acme Repairs', organisation: 'partners/acme', policy: 'machines', audience: [], tags: ['partner'] },
    oidc: {
      grantTypes: ['client_credentials'],
      tokenEndpointAuthMethod: 'private_key_jwt',
      apis: { orders: ['orders:read'] },
      jwks: KEYS,
    },
    partner: {
      contacts: [{ name: 'Ann Cole', email: 'ann@acme.example' }, { email: 'noc@acme.example' }],
      networks: ['203.0.113.0/24', '2001:db8:7::/48'],
      quota: { tokens: { most: 600, within: 60_000 }, calls: { most: 6000, within: 60_000 } },
      // its last day is the 30th
      endsAt: Date.UTC(2027, 6, 1),
    },
  })
})

test('again changes nothing; what is exported and applied again changes nothing; a change names what differs', async () => {
  const { catalog } = await house()
  const both = contract({ apis: '{ orders: [orders:read], billing: [billing:read] }', policy: 'strict' })
  for (const source of [contract(), both]) {
    await catalog.partners.apply([source], { by })
    expect(actions(await catalog.partners.apply([source], { by }))).toEqual(['unchanged acme'])
    const exported = await catalog.partners.export('acme')
    expect(parse(exported)).toEqual(parse(source.text))
    const back = await catalog.partners.apply([{ file: 'acme.yaml', text: exported }], { by })
    expect([back.problems, actions(back)]).toEqual([[], ['unchanged acme']])
  }
  const { changes } = await catalog.partners.apply([contract({ networks: '[203.0.113.0/25]' })], { by })
  expect(changes[0]!.fields.map(({ field }) => field).sort()).toEqual(['oidc.apis', 'partner.networks', 'policy'])
})

test('apps and partners leave each other alone, also where everything that is not named is removed', async () => {
  const { catalog } = await house()
  const machine = { file: 'm.yaml', text: 'id: machine\ntemplate: machine\npolicy: machines\n' }
  await catalog.apps.apply([machine], { by })
  await catalog.partners.apply([contract(), contract({ partner: 'byte' })], { by })
  const apps = await catalog.apps.apply([machine], { by, prune: true })
  expect(actions(apps)).toEqual(['unchanged machine'])
  expect(actions(await catalog.partners.apply([contract()], { by, prune: true }))).toEqual([
    'unchanged acme',
    'remove byte',
  ])
  expect((await catalog.apps.list()).map(({ id }) => id)).toEqual(['acme', 'machine'])
  expect((await catalog.apps.exportAll()).map(({ id }) => id)).toEqual(['machine'])
  // neither takes the place of the other, which would take its networks away
  const taken = await catalog.apps.apply([{ file: 'a.yaml', text: 'id: acme\ntemplate: machine\npolicy: x\n' }], { by })
  expect([taken.problems.map(formatProblem), actions(taken)]).toEqual([
    [expect.stringMatching(/^a\.yaml:1:5 partner-contract `id` is `acme`, a partner/)],
    [],
  ])
  const other = await catalog.partners.apply([contract({ partner: 'machine' })], { by })
  expect(other.problems.map(({ code, line }) => [code, line])).toEqual([['app-exists', 1]])
  await expect(catalog.apps.remove('acme', by)).rejects.toMatchObject({ code: 'partner-contract' })
  await expect(catalog.apps.export('acme')).rejects.toMatchObject({ code: 'partner-contract' })
  await expect(catalog.partners.end('machine', by)).rejects.toMatchObject({ code: 'partner-unknown' })
})

test('a partner that was ended stays so whatever is applied, until somebody takes that back', async () => {
  const { catalog, audit, clock } = await house()
  await catalog.partners.apply([contract()], { by })
  clock.advance(1000)
  const ended = clock.now()
  expect(await catalog.partners.end('acme', by)).toBe(true)
  expect(await catalog.partners.end('acme', by)).toBe(false)
  expect(await catalog.apps.find('acme')).toMatchObject({
    tokensFrom: ended + 1000,
    partner: { endsAt: ended, endedAt: ended },
  })
  const again = await catalog.partners.apply([contract({ expires: '2099-01-01' })], { by })
  expect([again.problems.map(({ code, line }) => [code, line]), actions(again)]).toEqual([[['partner-ended', 1]], []])
  clock.advance(1000)
  expect(await catalog.partners.resume('acme', by)).toBe(true)
  expect((await catalog.apps.find('acme'))?.partner?.endedAt).toBeUndefined()
  expect(actions(await catalog.partners.apply([contract()], { by }))).toEqual(['unchanged acme'])
  expect((await catalog.apps.find('acme'))?.tokensFrom).toBe(clock.now())
  expect((await audit.search({ app: 'acme' })).map(({ event }) => event)).toEqual([
    'partner-resumed',
    'partner-ended',
    'app-registered',
  ])
})

test('one with a mistake is told with all its places, and holds up no other one', async () => {
  const { catalog } = await house()
  const bad = contract({ partner: 'bad', networks: '[203.0.113.7/24]', quota: '{ tokens: lots }' }, 'partners/bad.yaml')
  const applied = await catalog.partners.apply([bad, contract()], { by, prune: true })
  expect(actions(applied)).toEqual(['create acme'])
  expect(applied.problems.map(({ file, line, code }) => [file, line, code])).toEqual([
    ['partners/bad.yaml', 6, 'invalid'],
    ['partners/bad.yaml', 8, 'invalid'],
  ])
  expect(applied.refused).toEqual([{ id: 'bad', file: 'partners/bad.yaml', line: 1 }])
})

const PRIVATE = JSON.stringify({
  keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })],
})
const SHORT = JSON.stringify({
  keys: [generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })],
})

describe('a contract is refused', () => {
  test.each<
    [what: string, change: Partial<Record<string, string | undefined>>, line: number, code: string, says: RegExp]
  >([
    ['for an API that is not there', { apis: '{ order: [orders:read] }' }, 7, 'api-unknown', /did you mean `orders`/],
    [
      'for a scope that the API has not',
      { apis: '{ orders: [orders:reed] }' },
      7,
      'scope-unknown',
      /did you mean `orders:read`/,
    ],
    ['for no scope', { apis: '{ orders: [] }' }, 7, 'scopes-missing', /apis\.orders/],
    ['for no API', { apis: '{}' }, 7, 'invalid', /at least one/],
    [
      'without policy for APIs of several',
      { apis: '{ orders: [orders:read], billing: [billing:read] }' },
      7,
      'policy-several',
      /policy/,
    ],
    [
      'with a secret that nobody allowed',
      { authentication: '{ method: client_secret_basic }' },
      5,
      'secret-not-allowed',
      /allow_secret/,
    ],
    [
      'with a reason for a secret and none',
      { authentication: `{ method: private_key_jwt, allow_secret: x, jwks: ${KEY_LINE} }` },
      5,
      'secret-unused',
      /private_key_jwt/,
    ],
    [
      'without authentication worth the name',
      { authentication: '{ method: none }' },
      5,
      'invalid',
      /authentication\.method/,
    ],
    ['without keys', { authentication: '{ method: private_key_jwt }' }, 5, 'keys-missing', /^`authentication\.method`/],
    [
      'with keys in two places',
      { authentication: `{ method: private_key_jwt, jwks: ${KEY_LINE}, jwks_uri: https://a.example/k }` },
      5,
      'keys-missing',
      /exactly one/,
    ],
    [
      'with a private key',
      { authentication: `{ method: private_key_jwt, jwks: ${PRIVATE} }` },
      5,
      'keys-private',
      /^`authentication\.jwks`/,
    ],
    ['with a short key', { authentication: `{ method: private_key_jwt, jwks: ${SHORT} }` }, 5, 'key-invalid', /2048/],
    [
      'with a key that is none',
      { authentication: '{ method: private_key_jwt, jwks: { keys: [{ kty: EC, crv: P-256, x: a, y: b }] } }' },
      5,
      'key-invalid',
      /JWK/,
    ],
    [
      'with keys at a plain address',
      { authentication: '{ method: private_key_jwt, jwks_uri: http://a.example/k }' },
      5,
      'address-unsafe',
      /https/,
    ],
    ['with a network that is none', { networks: '[10.1.1]' }, 6, 'invalid', /networks\.0/],
    ['with a network of the other family', { networks: '["::ffff:0:0/95"]' }, 6, 'invalid', /first address/],
    ['with no network at all', { networks: '[]' }, 6, 'invalid', /networks/],
    ['with an end that is no day', { expires: '2027-02-30' }, 9, 'invalid', /a day/],
    ['without contact', { contacts: '[]' }, 4, 'invalid', /contacts/],
    ['with a quota of nothing', { quota: '{ calls: 0/1m }' }, 8, 'invalid', /quota\.calls/],
    ['with a policy that is not there', { policy: 'machine' }, 10, 'policy-unknown', /did you mean `machines`/],
    ['with a key that nobody reads', { network: '[10.0.0.0/8]' }, 10, 'unknown-key', /did you mean `networks`/],
  ])('%s, at its place', async (_what, change, line, code, says) => {
    const { catalog } = await house(() => ['machines', 'money'])
    const { problems, changes } = await catalog.partners.apply([contract(change)], { by })
    expect(changes).toEqual([])
    expect(problems.map((one) => [one.line, one.code])).toEqual([[line, code]])
    expect(problems[0]!.message).toMatch(says)
  })
})

test('a secret is made where the contract allows one, and shown once', async () => {
  const { catalog } = await house()
  const source = contract({ authentication: '{ method: client_secret_basic, allow_secret: their ERP cannot sign }' })
  const { changes } = await catalog.partners.apply([source], { by })
  expect(changes[0]!.clientSecret).toMatch(/^[\w-]{43}$/)
  await catalog.apps.secretsShown(['acme'])
  expect(JSON.stringify(await catalog.partners.apply([source], { by }))).not.toContain('clientSecret')
  expect(parse(await catalog.partners.export('acme'))).toEqual(parse(source.text))
})

describe('what a partner proves besides', () => {
  const FEDERATED =
    '[{ issuer: https://cluster.acme.example, subject: system:serviceaccount:shop:orders, reuse: true }]'
  test.each([
    [
      'a certificate',
      '{ method: tls_client_auth, tls_client_auth_san_dns: acme.example, tls_client_certificate_bound_access_tokens: true }',
    ],
    ['a token of its cluster', `{ method: private_key_jwt, federated: ${FEDERATED} }`],
    ['FAPI 2.0', `{ method: private_key_jwt, jwks: ${KEY_LINE}, profile: fapi2, dpop_bound_access_tokens: true }`],
  ])('%s is in the contract, and comes back out of it', async (_, authentication) => {
    const { catalog } = await house()
    const applied = await catalog.partners.apply([contract({ authentication })], { by })
    expect([applied.problems.map(formatProblem), actions(applied)]).toEqual([[], ['create acme']])
    const exported = { file: 'acme.yaml', text: await catalog.partners.export('acme') }
    expect(parse(exported.text).authentication).toEqual(parse(authentication))
    expect(actions(await catalog.partners.apply([exported], { by }))).toEqual(['unchanged acme'])
  })

  test('what does not hold together is told where it stands', async () => {
    const { catalog } = await house()
    const authentication = '{ method: tls_client_auth }'
    const bound = `{ method: private_key_jwt, jwks: ${KEY_LINE}, profile: fapi2 }`
    for (const [given, code, place] of [
      [authentication, 'certificate-subject', '`authentication.method`'],
      [bound, 'profile-binding', '`authentication.dpop_bound_access_tokens`'],
    ] as const) {
      const { problems } = await catalog.partners.apply([contract({ authentication: given })], { by, dryRun: true })
      expect(problems.map(formatProblem).join()).toContain(code)
      expect(problems.map(formatProblem).join()).toContain(place)
    }
  })
})
