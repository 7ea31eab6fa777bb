/** What is measured. `prepare` once per virtual user answers the step that is then repeated and counted. */
import type { Browser } from './browser.ts'
import type { Connection, Reply } from './connection.ts'
import type { Flows } from './flows.ts'

export interface User {
  connection: Connection
  browser?: Browser
}

export interface Scenario {
  readonly title: string
  prepare(flows: Flows, user: User, number: number): Promise<() => Promise<unknown>>
}

export function ok(reply: Reply): Reply {
  if (reply.status !== 200) throw new Error(`answered ${reply.status}: ${reply.body.slice(0, 300)}`)
  return reply
}

const plain = (title: string, url: (flows: Flows) => URL): Scenario => ({
  title,
  async prepare(flows, user) {
    const to = url(flows)
    return async () => ok(await user.connection.request('GET', to))
  },
})

export const SCENARIOS: Readonly<Record<string, Scenario>> = Object.freeze({
  sso: {
    title: 'silent sign-on',
    async prepare(flows, user, number) {
      const { web } = flows.target
      user.browser = (await flows.signIn(user.connection, number, web)).browser
      return () => flows.silent(user.browser!, web)
    },
  },

  client_credentials: {
    title: 'client credentials',
    async prepare(flows, user) {
      const { headers, body } = flows.authenticated(flows.target.machine, { grant_type: 'client_credentials' })
      const url = flows.endpoint('token_endpoint')
      return async () => ok(await user.connection.request('POST', url, headers, body))
    },
  },

  login: {
    title: 'password sign-in',
    prepare: async (flows, user, number) => () => flows.signIn(user.connection, number, flows.target.web),
  },

  refresh: {
    title: 'refresh with rotation',
    async prepare(flows, user, number) {
      const client = flows.target.webRefresh
      let { tokens } = await flows.signIn(user.connection, number, client)
      if (!tokens.refresh_token) throw new Error('no refresh token')
      return async () => {
        const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
        const next = await flows.tokens(user.connection, client, fields)
        if (next.refresh_token) tokens = next
      }
    },
  },

  introspection: {
    title: 'introspection',
    async prepare(flows, user, number) {
      const { web } = flows.target
      const { tokens } = await flows.signIn(user.connection, number, web)
      const fields = { token: tokens.access_token, token_type_hint: 'access_token' }
      const { headers, body } = flows.authenticated(web, fields)
      const url = flows.endpoint('introspection_endpoint')
      const ask = async () => ok(await user.connection.request('POST', url, headers, body))
      const { active } = JSON.parse((await ask()).body) as { active: boolean }
      if (!active) throw new Error('a token just issued is not active')
      return ask
    },
  },

  userinfo: {
    title: 'userinfo',
    async prepare(flows, user, number) {
      const { tokens } = await flows.signIn(user.connection, number, flows.target.web)
      const headers = { authorization: `Bearer ${tokens.access_token}` }
      const url = flows.endpoint('userinfo_endpoint')
      return async () => ok(await user.connection.request('GET', url, headers))
    },
  },

  forward_auth: {
    title: 'forward-auth with a live session',
    async prepare(flows, user, number) {
      const cookie = await flows.openProxied(user.connection, number)
      return async () => ok(await flows.asked(user.connection, cookie))
    },
  },

  discovery: plain('discovery', (flows) => flows.discovery),
  jwks: plain('JWKS', (flows) => flows.endpoint('jwks_uri')),
})

/** What only Portico does, so that it is compared with something else (`bench/saml.ts`). */
export const ALONE: Readonly<Record<string, Scenario>> = Object.freeze({
  saml: {
    title: 'SAML sign-on with a living session',
    async prepare(flows, user, number) {
      user.browser = (await flows.signIn(user.connection, number, flows.target.web)).browser
      return () => flows.samlSignOn(user.browser!)
    },
  },
})
