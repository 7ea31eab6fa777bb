/** How an app asks (CIBA Core 1.0 §7): what may stand in its request, how often it may come, and what it is answered. */
import { type Account, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Audit } from '#audit'
import { minutes } from '#core/clock'
import type { State } from '#storage'
import { wantedBy } from '../wanted.ts'
import { addressee, addresseeOfName, OF_ONE_APP, questionId } from './asked.ts'

type Feature = NonNullable<NonNullable<Configuration['features']>['ciba']>
export type FindAccount = (ctx: KoaContextWithOIDC, sub: string) => Promise<Account | undefined>

/** Seconds between two polls (§7.3). */
export const POLL_INTERVAL = 5
/** Seconds: somebody has to notice it, read it, and perhaps prove who they are first. */
const EXPIRY = { usual: 300, least: 10, most: 900 } as const

export const CIBA_ROUTE = 'backchannel_authentication'

/** Nobody is looked for yet (`asked.ts`): whomever an ID token names is as good as whomever a name names. */
export const findAsked =
  (find: FindAccount): FindAccount =>
  async (ctx, sub) => {
    if (ctx.oidc.route !== CIBA_ROUTE) return find(ctx, sub)
    const accountId = sub.startsWith('name:') ? sub : addressee('person', sub)
    return { accountId, claims: async () => ({ sub: accountId }) }
  }

/** §7.1 requested_expiry; the engine has looked whether it is a number. */
export function expiryOf(ctx: KoaContextWithOIDC | undefined): number {
  const requested = ctx?.oidc.params?.['requested_expiry']
  return requested === undefined ? EXPIRY.usual : Math.min(EXPIRY.most, Math.max(EXPIRY.least, Number(requested)))
}

const LONGEST_MESSAGE = 100
/**
 * §7.1 binding_message: one line of plain text in any script.
 * ATTACK: control and direction characters, invisible ones and piles of accents make people read what is not there.
 */
const MESSAGE = /^(?=\S)(?:[\p{L}\p{N}\p{P}\p{Sc}\p{Sm}\p{Sk} ]\p{M}{0,2})+(?<=\S)$/u
export const isMessage = (text: string): boolean =>
  text.isWellFormed() && [...text].length <= LONGEST_MESSAGE && text === text.normalize('NFC') && MESSAGE.test(text)

/** Over all processes. The last one is about one name, whoever asks: nobody is flooded by several apps together. */
const LIMITS = [
  { most: 60, within: minutes(1), of: (client: string) => client },
  { ...OF_ONE_APP, of: (client: string, whom: string) => `${client}:${whom}` },
  { most: 20, within: minutes(10), of: (_client: string, whom: string) => whom },
] as const

export interface CibaRooms {
  readonly state: Pick<State, 'increment'>
  readonly audit: Pick<Audit, 'record'>
}

export function cibaFeature({ state, audit }: CibaRooms): Feature {
  /** ATTACK: it counts by what was sent, the same for whoever exists and for nobody. */
  async function countAsked(ctx: KoaContextWithOIDC, whom: string): Promise<void> {
    const client = ctx.oidc.client!.clientId
    for (const { most, within, of } of LIMITS) {
      const count = await state.increment(`asked-count:${within}:${of(client, whom)}`, 1, within)
      if (count <= most) continue
      if (count === most + 1)
        await audit.record('confirmation-throttled', { actor: client, app: client, count: most, reason: `${within}ms` })
      ctx.set('retry-after', String(within / 1000))
      throw tooMany()
    }
  }

  return {
    enabled: true,
    deliveryModes: ['poll'],

    async processLoginHint(_ctx, hint) {
      const whom = addresseeOfName(hint ?? '')
      if (whom === undefined) throw new errors.InvalidRequest('login_hint cannot be the name of anybody')
      return whom
    },
    async processLoginHintToken() {
      throw new errors.InvalidRequest('login_hint_token is not supported; send login_hint or id_token_hint')
    },
    // called once everything else is known to be right: what is refused is not counted
    verifyUserCode: (ctx, account) => countAsked(ctx, account.accountId),
    async validateBindingMessage(_ctx, message) {
      if (message !== undefined && !isMessage(message))
        throw new errors.InvalidBindingMessage(
          `binding_message is not one line of at most ${LONGEST_MESSAGE} characters`,
        )
    },
    async validateRequestContext({ oidc }) {
      // what nobody could answer is not asked
      wantedBy(oidc.params)
      const expiry = oidc.params?.['requested_expiry']
      if (expiry !== undefined && !/^[1-9]\d{0,8}$/.test(String(expiry)))
        throw new errors.InvalidRequest('requested_expiry is not a positive number of seconds')
    },
    async triggerAuthenticationDevice(ctx, request, _account, client) {
      ctx.body = { ...(ctx.body as object), interval: POLL_INTERVAL }
      const reason = questionId(request)
      await audit.record('confirmation-asked', { actor: client.clientId, app: client.clientId, reason })
    },
  }
}

/** RFC 6585 §4; CIBA has no word for it. */
function tooMany(): Error {
  const error = new errors.CustomOIDCProviderError('temporarily_unavailable', 'too many questions')
  return Object.assign(error, { status: 429, statusCode: 429 })
}
