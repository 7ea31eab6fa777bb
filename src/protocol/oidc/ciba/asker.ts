/**
 * Who asks: the person who uses the app. An app that wants their name to be read by whoever is asked shows the access token that
 * it has for them, in the words of RFC 8693 §2.1 (`actor_token`). What an app merely says about it is not shown to anybody.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { ACCESS_TOKEN, livingToken, type ShownRooms, spokenFor } from '../shown-token.ts'
import { CIBA_ROUTE } from './feature.ts'

export const ASKER_PARAMETERS = ['actor_token', 'actor_token_type'] as const

type Validator = (ctx: KoaContextWithOIDC, value: string | undefined, client: { clientId: string }) => Promise<void>

export function createAskers() {
  const askers = new WeakMap<object, string>()

  return {
    /** For the engine's `extraParams`: called for every request that may have them. */
    validators(rooms: () => ShownRooms): Record<(typeof ASKER_PARAMETERS)[number], Validator> {
      return {
        async actor_token(ctx, text, { clientId }) {
          const { params, route } = ctx.oidc
          const type = params!['actor_token_type']
          // it has been read, and is kept nowhere
          Object.assign(params!, { actor_token: undefined, actor_token_type: undefined })
          if (route !== CIBA_ROUTE || (text === undefined && type === undefined)) return
          if (text === undefined || type !== ACCESS_TOKEN)
            throw new errors.InvalidRequest('actor_token and actor_token_type are not those of an access token')
          const shown = await livingToken(text, rooms())
          // ATTACK: a token that an app got elsewhere says nothing about who uses the app
          const there = shown?.client === clientId ? await spokenFor(shown, rooms()) : undefined
          if (!there) throw new errors.InvalidRequest('actor_token is not of somebody who is signed in to this client')
          askers.set(ctx, there.person.id)
        },
        async actor_token_type() {},
      }
    },

    /** What is asked in a request keeps who asks. */
    keep(engine: Provider, current: () => object | undefined): void {
      const { prototype } = engine.BackchannelAuthenticationRequest
      const { save } = prototype
      prototype.save = async function (this: typeof prototype & { asker?: string }) {
        const asker = askers.get(current() ?? {})
        if (asker !== undefined) this.asker = asker
        return save.call(this)
      }
    },
  }
}
