/** The sample apps and the partner's machine: registered from manifests, as an administrator would. */
import type { House } from '#cli'

export interface SampleApp {
  readonly id: string
  readonly name: string
  readonly port: number
  readonly tags: readonly string[]
  readonly policy: string
  readonly audience: readonly string[]
  readonly line: string
}

/** `base` is the port of the gateway; the apps listen on the ports after it. */
export const sampleApps = (base: number): readonly SampleApp[] => [
  {
    id: 'crm',
    name: 'Customer desk',
    port: base + 1,
    tags: ['store'],
    policy: 'store-apps',
    audience: ['store', 'care'],
    line: 'who the customer is and what they bought',
  },
  {
    id: 'tills',
    name: 'Tills',
    port: base + 2,
    tags: ['store'],
    policy: 'store-apps',
    audience: ['store', 'care'],
    line: 'sales and returns',
  },
  {
    id: 'rota',
    name: 'Rota',
    port: base + 3,
    tags: ['store'],
    policy: 'store-apps',
    audience: ['staff'],
    line: 'who works when',
  },
  {
    id: 'sim-swap',
    name: 'SIM swap',
    port: base + 4,
    tags: ['store', 'high-risk'],
    policy: 'store-apps',
    audience: ['store', 'care'],
    line: 'moves a number to another SIM: risky',
  },
]

export const PARTNER = 'northwind-orders'

/** Answers the client secrets by app id. */
export async function seedApps({ catalog }: House, apps: readonly SampleApp[]): Promise<ReadonlyMap<string, string>> {
  const manifests = apps.map((app) => ({
    file: `demo/${app.id}.yaml`,
    text: JSON.stringify({
      id: app.id,
      name: app.name,
      policy: app.policy,
      audience: app.audience,
      tags: app.tags,
      first_party: true,
      launch_url: `http://localhost:${app.port}/`,
      oidc: {
        redirect_uris: [`http://localhost:${app.port}/callback`],
        post_logout_redirect_uris: [`http://localhost:${app.port}/signed-out`],
        scopes: ['openid', 'profile', 'email', 'groups'],
        backchannel_logout_uri: `http://localhost:${app.port}/backchannel-logout`,
      },
    }),
  }))
  const partner = {
    file: `demo/${PARTNER}.yaml`,
    text: JSON.stringify({
      id: PARTNER,
      template: 'machine',
      name: 'Northwind order import',
      policy: 'partners',
      tags: ['partner'],
      oidc: { scopes: ['orders:read', 'orders:write', 'orders:delete'] },
    }),
  }
  const applied = await catalog.apps.apply([...manifests, partner], { by: 'demo' })
  if (applied.problems.length > 0)
    throw new Error(
      `sample apps were refused: ${applied.problems.map((problem) => `${problem.file} ${problem.message}`).join('; ')}`,
    )
  return new Map(
    applied.changes.flatMap((change) => (change.clientSecret ? [[change.id, change.clientSecret] as const] : [])),
  )
}
