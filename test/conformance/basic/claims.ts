/** What clients are told of a person: scopes (OIDC Core §5.4) and the `claims` parameter (§5.5). */
import { expect } from 'vitest'
import { complete, userinfo } from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'

/** OIDC Core §5.1: of every standard claim that is there, its JSON type. */
const TYPES: Readonly<Record<string, 'string' | 'boolean' | 'number'>> = {
  sub: 'string',
  name: 'string',
  given_name: 'string',
  family_name: 'string',
  preferred_username: 'string',
  locale: 'string',
  updated_at: 'number',
  email: 'string',
  email_verified: 'boolean',
}

const SAM = {
  profile: {
    name: 'Sam de Vries',
    given_name: 'Sam',
    family_name: 'de Vries',
    preferred_username: 'sam',
    locale: 'nl',
  },
  email: { email: 'sam@kestrel.example', email_verified: true },
}

async function told(op: Op, scope: string, expected: object, more: Record<string, string> = {}) {
  const done = await complete(op, { parameters: { scope, ...more } })
  const claims = await userinfo(op, done.tokens.access)
  expect(claims).toEqual({ sub: done.claims.sub, ...expected })
  for (const [name, value] of Object.entries(claims)) expect([name, typeof value]).toEqual([name, TYPES[name]])
  return done
}

export const CLAIMS: Modules = {
  async 'oidcc-scope-profile'(op) {
    await told(op, 'openid profile', SAM.profile)
  },
  async 'oidcc-scope-email'(op) {
    await told(op, 'openid email', SAM.email)
  },

  async 'oidcc-claims-essential'(op) {
    expect(op.metadata['claims_parameter_supported']).toBe(true)
    const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
    const done = await told(op, 'openid', { name: SAM.profile.name }, { claims })
    expect(done.claims).not.toHaveProperty('name')
  },
}
