/**
 * A folder that `portico serve` can run in: settings, the shipped policies, people and apps. Nothing of Portico is
 * switched off for the measurement: every silent sign-on is decided by `policies/store-apps.yaml`, leaves a receipt, and
 * is on the disk before it is answered.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyPolicies } from '../demo/policies.ts'
import { SAML_APP, type Target } from './load/flows.ts'
import { openRooms } from './rooms.ts'
import { PASSWORD, PEOPLE, PROXIED_HOST, REDIRECT_URI, targetOf } from './subjects.ts'

const root = join(import.meta.dirname, '..')

export const MAIN = join(root, 'src/portico.js')
/** Of Node, as `npx portico serve` has them: by the first line of `MAIN`. */
export const FLAGS: readonly string[] = ['--max-semi-space-size=8']

/** The shipped policies are for people; a machine that asks for itself needs one that says so. */
export const MACHINES = `policy: machines
title: Machines
owner: it-partners@kestrel.example
rules:
  - name: machines of ours
    when: { request.kind: [api], client.authentication: [client_secret_basic, private_key_jwt] }
    allow: { strength: any }
`

/** As most apps want it: both signatures, and some attributes. */
const SAML = {
  entity_id: SAML_APP,
  acs_urls: ['https://saml.bench.example/acs'],
  attributes: [
    { name: 'username', value: 'username' },
    { name: 'name', value: 'name' },
    { name: 'groups', value: 'groups' },
  ],
}

export interface Ports {
  readonly port: number
  readonly managementPort: number
}

/** Answers the name of the settings file. `more` are further settings, or others. */
export function writeFolder(folder: string, { port, managementPort }: Ports, more: object = {}): string {
  mkdirSync(folder, { recursive: true })
  copyPolicies(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies/machines.yaml'), MACHINES)
  const file = join(folder, 'portico.yaml')
  const settings = {
    issuer: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${port}`,
    proxies: ['127.0.0.1'],
    drain: '0s',
    management: { listen: `127.0.0.1:${managementPort}` },
    storage: { url: 'sqlite:portico.db' },
    secrets: { key_file: 'master.key' },
    catalog: join(root, 'apps-catalog'),
    ...more,
  }
  writeFileSync(file, JSON.stringify(settings, undefined, 2))
  return file
}

/** People and apps. `alg` signs the id tokens. */
export async function fill(file: string, port: number, alg: string): Promise<Target> {
  const house = await openRooms(file)
  try {
    for (let number = 0; number < PEOPLE; number++) {
      const username = `user${number}`
      await house.people.add({ username, name: username, groups: ['staff', 'store'], password: PASSWORD }, 'bench')
    }
    const forStores = { policy: 'store-apps', audience: ['store', 'care'], tags: ['store'] }
    const app = (id: string, grants: readonly string[]) => ({
      id,
      name: id,
      ...forStores,
      first_party: true,
      oidc: {
        redirect_uris: [REDIRECT_URI],
        scopes: ['openid', 'profile', 'email'],
        grant_types: grants,
        id_token_signed_response_alg: alg,
      },
    })
    const manifests = [
      app('web', ['authorization_code']),
      app('web-rt', ['authorization_code', 'refresh_token']),
      { ...app('saml', []), oidc: undefined, saml: SAML },
      { id: 'tills', ...forStores, forward_auth: { hosts: [PROXIED_HOST] } },
      { id: 'machine', template: 'machine', name: 'machine', policy: 'machines' },
    ].map((manifest) => ({ file: `bench/${manifest.id}.yaml`, text: JSON.stringify(manifest) }))
    const applied = await house.catalog.apps.apply(manifests, { by: 'bench' })
    if (applied.problems.length > 0) throw new Error(JSON.stringify(applied.problems))
    const secrets = new Map(applied.changes.map(({ id, clientSecret }) => [id, clientSecret ?? '']))
    return targetOf('portico', port, (id) => secrets.get(id) ?? '')
  } finally {
    await house.close()
  }
}
