/** A machine that asks for itself (RFC 6749 §4.4), without scopes. */
import type { Way } from './way.ts'

export const machine: Way = {
  fields: [],
  open:
    ({ engine: { ClientCredentials }, judge }) =>
    async ({ request, app, client }) => {
      // for a token of an API there is more to say
      if (Object.keys(app.oidc!.apis).length > 0) return undefined
      const method = client.tokenEndpointAuthMethod
      const verdict = await judge.machine(request, app, { id: app.id, method: String(method) })
      if (!verdict.allowed) return undefined
      const token = new ClientCredentials({ client } as ConstructorParameters<typeof ClientCredentials>[0])
      judge.allowed(token, verdict)
      return { access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType }
    },
}
