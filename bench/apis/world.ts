import { openRooms } from '../rooms.ts'
import { CALLER, GATED_HOST, JWT, OPAQUE, type ProgramKey, READER, SIGNER } from './subjects.ts'

const MOST = 5000
type AppliedPartner = { readonly id: string; readonly clientSecret?: string }

const SCOPES = { 'orders:read': 'Read orders' }
const api = (id: string, audience: string, more: object) => ({
  file: `apis/${id}.yaml`,
  text: JSON.stringify({
    ...{ api: id, name: id, owner: 'it-apis@kestrel.example', audience, policy: 'machines', scopes: SCOPES },
    ...more,
  }),
})

const APIS = [
  api('lookups', OPAQUE, { token: { format: 'opaque', lifetime: '1h' } }),
  api('orders', JWT, {
    token: { format: 'jwt', alg: 'EdDSA', lifetime: '1h' },
    gateway: {
      hosts: [GATED_HOST],
      rules: [
        { paths: ['/health'], access: 'public' },
        { methods: ['GET'], paths: ['/orders/*'], scopes: ['orders:read'] },
      ],
    },
  }),
]

const program = (id: string, more: object = {}, oidc: object = {}) => ({
  file: `bench/${id}.yaml`,
  text: JSON.stringify({
    ...{ id, template: 'machine', name: id, policy: 'machines', ...more },
    oidc: { apis: { orders: ['orders:read'], lookups: ['orders:read'] }, ...oidc },
  }),
})

const contract = (id: string) => ({
  file: `partners/${id}.yaml`,
  text: JSON.stringify({
    ...{ partner: id, name: `Partner ${id}`, organisation: `partners/${id}`, policy: 'machines' },
    contacts: [{ name: 'Ann Cole', email: `ann@${id}.example` }],
    authentication: { method: 'client_secret_basic', allow_secret: 'the load generator signs nothing' },
    apis: { orders: ['orders:read'] },
  }),
})

/** Answers the secrets of the programs, and of so many partners. */
export async function fillApis(file: string, { publicJwk }: ProgramKey, partners: number) {
  const house = await openRooms(file)
  try {
    const by = 'bench'
    const { apps } = house.catalog
    const made = await house.apis.apply(APIS, { by })
    const programs = await apps.apply(
      [
        program(CALLER),
        program(READER, { tags: ['resource-server'] }),
        program(SIGNER, {}, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } }),
      ],
      { by },
    )
    const contracts = Array.from({ length: partners }, (_, number) => contract(`partner-${number}`))
    const signed = { changes: [] as AppliedPartner[], problems: [] as unknown[] }
    // at once not more than so many files are taken
    for (let from = 0; from < contracts.length; from += MOST) {
      const applied = await house.catalog.partners.apply(contracts.slice(from, from + MOST), { by })
      signed.changes.push(...applied.changes)
      signed.problems.push(...applied.problems)
    }
    const problems = [...made.problems, ...programs.problems, ...signed.problems]
    if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 5)))
    const secrets = new Map([...programs.changes, ...signed.changes].map(({ id, clientSecret }) => [id, clientSecret]))
    return {
      secret: (id: string) => secrets.get(id) ?? '',
      callers: signed.changes.map(({ id, clientSecret }) => ({ id, secret: clientSecret ?? '' })),
    }
  } finally {
    await house.close()
  }
}
