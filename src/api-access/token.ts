/** Whether a token holds for an API at this moment: everything about it that no policy decides. */
import type { AccessToken, AccessTokens, Api, AuthorizationDetail, TokenFault } from '#apis'
import type { App } from '#catalog'
import type { Person } from '#directory'
import type { Session } from '#sessions'
import type { ApiAccessOptions } from './options.ts'

/** What is wrong, for the log; whoever sent it is told as much as RFC 6750 §3.1 has words for. */
export type Fault =
  | TokenFault
  | 'algorithm'
  | 'audience'
  | 'client-unknown'
  | 'not-granted'
  | 'revoked'
  | 'person'
  | 'session'

export interface Held {
  readonly token: AccessToken
  readonly app: App
  readonly person?: Person
  readonly session?: Session
  /** Of those in the token, the ones that the client may still have. */
  readonly scopes: readonly string[]
  /** The same of its authorization details. */
  readonly details: readonly AuthorizationDetail[]
}

export function createHolding(rooms: ApiAccessOptions & { readonly tokens: AccessTokens }) {
  const { catalog, people, sessions, revocations, tokens, opaqueToken } = rooms

  async function read(text: string, { format, alg }: Api): Promise<AccessToken | Fault> {
    if (format === 'opaque') return (await opaqueToken(text)) ?? 'malformed'
    const token = tokens.read(text)
    if (typeof token === 'string') return token
    return token.alg === alg ? token : 'algorithm'
  }

  return async (text: string, api: Api): Promise<Held | Fault> => {
    const token = await read(text, api)
    if (typeof token === 'string') return token
    // INVARIANT: one token is for one API
    if (token.audience !== api.audience) return 'audience'
    const app = await catalog.apps.find(token.client)
    if (!app?.oidc) return 'client-unknown'
    const granted = app.oidc.apis[api.id]
    if (!granted) return 'not-granted'
    if ((await revocations.current()).has(token)) return 'revoked'
    const scopes = token.scopes.filter((scope) => granted.includes(scope) && api.scopes.has(scope))
    const details = token.details.filter(({ type }) => granted.includes(type) && api.details.has(type))
    const held = { token, app, scopes, details }
    if (token.subject === token.client) return held
    // INVARIANT: somebody switched off, merged or removed calls nothing
    const person = await people.recall(token.subject)
    if (!person || person.disabled) return 'person'
    if (token.session === undefined) return { ...held, person }
    const session = await sessions.recall(token.session)
    if (session?.personId !== person.id) return 'session'
    return { ...held, person, session }
  }
}
