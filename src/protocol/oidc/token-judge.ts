/**
 * Who may have a token. Machines ask for themselves; people were judged when the code was issued, and are looked at again
 * at each refresh.
 */
import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Access, Verdict } from '#access'
import type { App, Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { People } from '#directory'
import { requestContext } from '#http'
import type { Sessions } from '#sessions'

export interface TokenJudgeRooms {
  readonly access: Access
  readonly catalog: Catalog
  readonly clock: Clock
  readonly people: Pick<People, 'byId'>
  readonly sessions: Pick<Sessions, 'byId'>
}

export interface TokenJudge {
  /** One question for a request, however often it is looked at. */
  machine(request: IncomingMessage, app: App | undefined, client: { id: string; method: string }): Promise<Verdict>
  /** Notes that a token made outside of the engine's own requests has been judged. */
  allowed(token: object): void
  /** The engine's question before each token; throws the protocol's refusal. INVARIANT: no token without an answer. */
  judge(ctx: KoaContextWithOIDC | undefined, token: { readonly kind: string }): Promise<void>
}

export function createTokenJudge({ access, catalog, clock, people, sessions }: TokenJudgeRooms): TokenJudge {
  const verdicts = new WeakMap<IncomingMessage, Verdict>()
  const judged = new WeakSet<object>()

  async function machine(
    request: IncomingMessage,
    app: App | undefined,
    { id, method }: { id: string; method: string },
  ): Promise<Verdict> {
    const known = verdicts.get(request)
    if (known) return known
    const { address } = requestContext(request)
    const client = { id, authentication: method }
    const verdict = await access.ask({ kind: 'api', app, client, address, startedAt: clock.now() })
    verdicts.set(request, verdict)
    return verdict
  }

  async function judgeMachine(ctx: KoaContextWithOIDC, app: App | undefined): Promise<void> {
    const { clientId: id, tokenEndpointAuthMethod } = ctx.oidc.client!
    const verdict = await machine(ctx.req, app, { id, method: String(tokenEndpointAuthMethod) })
    if (verdict.outcome !== 'allow')
      throw new errors.AccessDenied(undefined, `refused by policy, reference ${verdict.reference}`)
  }

  return {
    machine,
    allowed: (token) => void judged.add(token),

    async judge(ctx, token) {
      if (!ctx) {
        if (!judged.has(token)) throw new Error('a token that nobody has judged')
        return
      }
      const { client, account, entities } = ctx.oidc
      const app = await catalog.apps.find(client!.clientId)
      if (token.kind === 'ClientCredentials') await judgeMachine(ctx, app)
      else if (entities.RefreshToken && account) {
        const person = await people.byId(account.accountId)
        const { address } = requestContext(ctx.req)
        const { sessionUid } = entities.RefreshToken
        const session = sessionUid ? await sessions.byId(sessionUid) : undefined
        // the address is the app's, not the person's: only what holds for the person wherever they are can refuse here
        const verdict = await access.preview({ kind: 'app', app, person, session, address, startedAt: clock.now() })
        if (!verdict.person || verdict.decision.rule === 'audience')
          throw new errors.InvalidGrant('person may no longer use this app')
      }
    },
  }
}
