/** A resource server asks about an access token that is kept (RFC 7662), and wants the answer as JSON. */
import type { App } from '#catalog'
import type { Client, Rooms } from './way.ts'

export interface Question {
  readonly app: App
  readonly client: Client
  readonly fields: ReadonlyMap<string, string>
  /** The header of that name. */
  readonly accept: string | undefined
}

type Token = InstanceType<Rooms['engine']['AccessToken'] | Rooms['engine']['ClientCredentials']>
type Kept = Token & {
  readonly accountId?: string
  readonly grantId?: string
  readonly sid?: string
  readonly aud?: string | string[]
  readonly extra?: object
  readonly rar?: unknown
  readonly jkt?: string
  readonly 'x5t#S256'?: string
}

/** Others want an answer that is signed (RFC 9701), or one of several. */
const AS_JSON: ReadonlySet<string | undefined> = new Set([undefined, '*/*', 'application/json'])
const ACCESS_TOKEN = 'access_token'

/** RFC 7662 §4: its own tokens, and of others for whoever is registered as a resource server. */
export const mayAsk = (app: App | undefined, client: string, owner: string | undefined): boolean =>
  owner === client || (app?.tags.includes('resource-server') ?? false)

/** Undefined: the engine shall answer, also that a token is none. */
export function createIntrospection({ engine, issuer }: Pick<Rooms, 'engine' | 'issuer'>) {
  async function find(value: string): Promise<Kept | undefined> {
    const { AccessToken, ClientCredentials } = engine
    const [person, program] = await Promise.all([AccessToken.find(value), ClientCredentials.find(value)])
    return (person ?? program) as Kept | undefined
  }

  async function isGranted({ grantId, clientId, accountId }: Kept): Promise<boolean> {
    if (grantId === undefined) return true
    const grant = await engine.Grant.find(grantId, { ignoreExpiration: true })
    return grant !== undefined && !grant.isExpired && grant.clientId === clientId && grant.accountId === accountId
  }

  return async ({ app, client, fields, accept }: Question): Promise<object | undefined> => {
    const hint = fields.get('token_type_hint')
    if (!AS_JSON.has(accept) || !(hint === undefined || hint === ACCESS_TOKEN)) return undefined
    const value = fields.get('token')!
    // one that reads itself is refused by the engine
    if (value.includes('.')) return undefined
    const token = await find(value)
    if (!token?.isValid || token.rar !== undefined || !(await isGranted(token))) return undefined
    if (!mayAsk(app, client.clientId, token.clientId)) return undefined
    const { jkt, 'x5t#S256': certificate } = token
    return {
      active: true,
      ...(token.accountId === undefined ? {} : { sub: token.accountId }),
      ...token.extra,
      client_id: token.clientId,
      exp: token.exp,
      iat: token.iat,
      sid: token.sid,
      iss: issuer,
      aud: token.aud,
      scope: token.scope || undefined,
      ...(jkt === undefined && certificate === undefined ? {} : { cnf: { 'x5t#S256': certificate, jkt } }),
      token_type: token.tokenType,
    }
  }
}
