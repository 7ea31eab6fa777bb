/** Tokens of programs that are over before their time, because the program is: found by nobody from that moment on. */
import type { Provider } from 'oidc-provider'
import type { App, Catalog } from '#catalog'
import type { Clock } from '#core/clock'

type Token = InstanceType<Provider['ClientCredentials']>

const secondOf = (at: number): number => Math.floor(at / 1000)

/** `iat` is in whole seconds: of one that came in the very second nobody knows whether it came before or after. */
export function isOver({ iat = 0 }: Pick<Token, 'iat'>, app: App | undefined, clock: Clock): boolean {
  if (!app) return true
  const { partner, tokensFrom, createdAt } = app
  if (partner?.endsAt !== undefined && partner.endsAt <= clock.now()) return true
  if (tokensFrom !== undefined && iat <= secondOf(tokensFrom)) return true
  // another one that had its name
  return partner !== undefined && iat < secondOf(createdAt)
}

/**
 * INVARIANT: looked at when a token is looked up, so that no token that was on its way when its program ended lives on. The
 * catalog is in memory, and every process sees a change with its next request.
 */
export function endTokensWithClients(
  { ClientCredentials }: Provider,
  catalog: Pick<Catalog, 'apps'>,
  clock: Clock,
): void {
  const { find } = ClientCredentials
  ClientCredentials.find = async function (this: typeof ClientCredentials, ...asked: Parameters<typeof find>) {
    const token = (await find.apply(this, asked)) as Token | undefined
    return token && !isOver(token, await catalog.apps.find(token.clientId!), clock) ? token : undefined
  } as typeof find
}
