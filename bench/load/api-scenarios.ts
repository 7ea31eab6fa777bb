/** What programs do: tokens for APIs by each kind of authentication, and the questions about them. */
import { type ApiTarget, assertionOf, privateKey, proofOf } from '../apis/proofs.ts'
import { GATED_HOST, GATED_PATH, JWT, OPAQUE } from '../apis/subjects.ts'
import { headerOf, type Reply } from './connection.ts'
import type { Flows } from './flows.ts'
import { ok, type Scenario, type User } from './scenarios.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const targetOf = (flows: Flows): ApiTarget => flows.target as ApiTarget
const tokenIn = (reply: Reply): string => (JSON.parse(ok(reply).body) as { access_token: string }).access_token

/** A token by a secret. */
function asked(flows: Flows, user: User, resource: string): () => Promise<Reply> {
  const { headers, body } = flows.authenticated(targetOf(flows).caller, { grant_type: 'client_credentials', resource })
  const url = flows.endpoint('token_endpoint')
  return async () => ok(await user.connection.request('POST', url, headers, body))
}

export const API_SCENARIOS: Readonly<Record<string, Scenario>> = Object.freeze({
  api_opaque: {
    title: 'client credentials for an API, opaque',
    prepare: async (flows, user) => asked(flows, user, OPAQUE),
  },

  api_jwt: {
    title: 'client credentials for an API, JWT with EdDSA',
    prepare: async (flows, user) => asked(flows, user, JWT),
  },

  api_assertion: {
    title: 'client credentials with private_key_jwt',
    async prepare(flows, user) {
      const { signer } = targetOf(flows)
      const key = privateKey(signer.jwk)
      const url = flows.endpoint('token_endpoint')
      const fixed = { grant_type: 'client_credentials', resource: JWT, client_assertion_type: ASSERTION }
      const fields = new URLSearchParams(fixed).toString()
      return async () => {
        const body = `${fields}&client_assertion=${assertionOf(signer, key, flows.issuer)}`
        return ok(await user.connection.request('POST', url, FORM, body))
      }
    },
  },

  api_dpop: {
    title: 'client credentials with DPoP',
    async prepare(flows, user) {
      const { caller, signer } = targetOf(flows)
      const key = privateKey(signer.jwk)
      const url = flows.endpoint('token_endpoint')
      const fields = { grant_type: 'client_credentials', resource: JWT }
      const { headers, body } = flows.authenticated(caller, fields)
      let nonce: string | undefined
      const ask = async () => {
        const dpop = proofOf(signer.jwk, key, url, nonce)
        const reply = await user.connection.request('POST', url, { ...headers, dpop }, body)
        nonce = headerOf(reply.raw, 'dpop-nonce') ?? nonce
        return reply
      }
      // who has no nonce yet is told one (RFC 9449 §8); the yardstick wants none
      await ask()
      return async () => ok(await ask())
    },
  },

  api_introspection: {
    title: 'introspection of a token of an API',
    async prepare(flows, user) {
      const token = tokenIn(await asked(flows, user, OPAQUE)())
      const { headers, body } = flows.authenticated(targetOf(flows).reader, { token })
      const url = flows.endpoint('introspection_endpoint')
      const ask = async () => ok(await user.connection.request('POST', url, headers, body))
      const { active } = JSON.parse((await ask()).body) as { active: boolean }
      if (!active) throw new Error('a token just issued is not active')
      return ask
    },
  },

  api_authz: {
    title: '/authz/api with a JWT',
    async prepare(flows, user) {
      // the yardstick is the route that reads a cookie
      if (flows.target.name !== 'portico') return async () => ok(await flows.asked(user.connection, 'portico-app=x'))
      const url = new URL('/authz/api?api=orders', flows.issuer)
      const headers = {
        authorization: `Bearer ${tokenIn(await asked(flows, user, JWT)())}`,
        'x-forwarded-method': 'GET',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': GATED_HOST,
        'x-forwarded-uri': GATED_PATH,
        'x-forwarded-for': '127.0.0.1',
      }
      return async () => ok(await user.connection.request('GET', url, headers))
    },
  },

  api_many: {
    title: 'client credentials, each time another client',
    async prepare(flows, user, number) {
      const { callers = [] } = targetOf(flows)
      const url = flows.endpoint('token_endpoint')
      const posts = callers.map((one) => flows.authenticated(one, { grant_type: 'client_credentials', resource: JWT }))
      let at = number * 97
      return async () => {
        const { headers, body } = posts[at++ % posts.length]!
        return ok(await user.connection.request('POST', url, headers, body))
      }
    },
  },
})
