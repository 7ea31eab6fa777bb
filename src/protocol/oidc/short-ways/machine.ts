/** A machine that asks for itself (RFC 6749 §4.4): without scopes, or for one API (RFC 8707). */
import type { Api } from '#apis'
import { randomId } from '#core/random'
import { grantedScopes, resourceOf } from '../resources.ts'
import { signedToken } from '../signed-token.ts'
import type { MachineVerdict } from '../token-judge.ts'
import { scopesOfApi } from '../token-limits.ts'
import type { Asking, Way } from './way.ts'

/** The API that is meant, and the scopes of it that the token may have before any rule. */
interface Meant {
  readonly api: Api
  readonly granted: readonly string[]
  readonly scope: string
}

/** Seconds since 1970. */
type At = Pick<Asking, 'key' | 'jkt'> & { readonly now: number }

const UNBOUND: ReadonlySet<Api['senderConstraint']> = new Set(['none'])
/** One that is bound without having to be is so all the same. */
const BY_KEY: ReadonlySet<Api['senderConstraint']> = new Set(['none', 'dpop', 'either'])

export const machine: Way = {
  fields: [],
  optional: ['resource', 'scope'],
  binds: true,

  open({ engine: { ClientCredentials }, issuer, clock, keys, judge, apis, provingKeys, startOf }) {
    type Token = InstanceType<typeof ClientCredentials>
    const signers = keys.signing.signers()

    /** Undefined: nothing usual, the engine says what it is. */
    async function meantBy({ app, fields, jkt }: Asking): Promise<Meant | undefined> {
      const set = await apis.all()
      const named = fields.get('resource')
      const own = Object.keys(app.oidc!.apis)
      const alone = own.length === 1 && app.oidc!.grantTypes.length === 1 ? set.find(own[0]!) : undefined
      const api = named === undefined ? alone : set.forAudience(named)
      const granted = api && grantedScopes(app, api)
      const isMet = jkt === undefined ? UNBOUND : BY_KEY
      // one with details has more to it
      if (!granted?.length || !isMet.has(api!.senderConstraint)) return undefined
      const asked = fields.get('scope')
      if (asked !== undefined && !asked.split(' ').every((scope) => granted.includes(scope))) return undefined
      return { api: api!, granted, scope: scopesOfApi(asked, api!, app) }
    }

    /** Undefined: a rule leaves nothing of what was asked for. */
    function judged(token: Token, verdict: MachineVerdict): Token | undefined {
      try {
        judge.allowed(token, verdict)
        return token
      } catch {
        return undefined
      }
    }

    /** RFC 9068 §2.2, as the engine writes it; it is kept nowhere. Undefined: there is no key for it. */
    async function jwtOf(token: Token, { api }: Meant, { key, jkt, now }: At): Promise<string | undefined> {
      const signer = signers.find(({ alg }) => alg === api.alg)
      const claims = {
        ...judge.confirm(token, key),
        jti: randomId(32),
        sub: token.clientId,
        iat: token.iat,
        exp: now + token.expiration,
        scope: token.scope,
        client_id: token.clientId,
        iss: issuer,
        aud: api.audience,
        ...(jkt === undefined ? {} : { cnf: { jkt } }),
      }
      return signer && signedToken(signer, claims, 'at+jwt')
    }

    return async (asking) => {
      const { request, app, client, fields, key, jkt } = asking
      const program = { id: app.id, method: String(client.tokenEndpointAuthMethod) }
      const plain = fields.size === 1 && Object.keys(app.oidc!.apis).length === 0
      const meant = plain ? undefined : await meantBy(asking)
      if ((!plain && !meant) || !(await asking.spend())) return undefined
      const now = Math.floor(clock.now() / 1000)
      // before it is judged: what is on its way when an end comes stays over
      const iat = (await startOf({ kind: ClientCredentials.name, clientId: app.id })) ?? now
      const about = meant && { api: meant.api, scopes: meant.scope.split(' ') }
      const verdict = await judge.machine(request, app, { ...program, ...about })
      if (!verdict.allowed) return undefined
      const given = { client, ...(meant && { scope: meant.scope }) }
      const token = new ClientCredentials(given as ConstructorParameters<typeof ClientCredentials>[0])
      Object.assign(token, { iat }, meant && { resourceServer: resourceFor(meant) })
      if (jkt !== undefined) token.setThumbprint('jkt', jkt)
      if (key !== undefined) provingKeys.provenBy(token, key)
      if (!judged(token, verdict)) return undefined
      const value = meant?.api.format === 'jwt' ? await jwtOf(token, meant, { key, jkt, now }) : await token.save()
      return value === undefined
        ? undefined
        : {
            body: {
              access_token: value,
              expires_in: token.expiration,
              ...(token.scope ? { scope: token.scope } : {}),
              token_type: token.tokenType,
            },
          }
    }
  },
}

/** As the engine makes it of the same answer to its question. */
const resourceFor = ({ api, granted }: Meant): object => ({
  ...(resourceOf(api, granted) as object),
  identifier: () => api.audience,
})
