/**
 * Authorization details (RFC 9396), wherever they come in: at the authorization, pushed request, device and token endpoint alike the
 * engine has each one judged here before anything else is done with it.
 *
 * INVARIANT: a token has details of its own API only, of types that its client is registered with, and none that were not granted.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { type Apis, type AuthorizationDetail, areCovered, detailsFault } from '#apis'
import type { Catalog } from '#catalog'
import type { DetailWords } from '#pages'
import { askedDetails, type Detailed } from './asked-details.ts'
import { grantedTypes } from './resources.ts'
import type { Token } from './token-limits.ts'

export interface DetailRooms {
  readonly apis: Pick<Apis, 'all'>
  readonly catalog: Catalog
}

type Details = AuthorizationDetail[] | undefined

const refused = (why: string) => new errors.InvalidAuthorizationDetails(why)

export function richAuthorizationRequests({ apis, catalog }: DetailRooms, types: readonly string[]) {
  const sound = new WeakSet<object>()

  /** The engine has seen that the type is one of `types`, and that the client is registered with it. */
  async function validate(ctx: KoaContextWithOIDC, detail: object): Promise<void> {
    const { params, client } = ctx.oidc
    const { type } = detail as AuthorizationDetail
    if (!sound.has(ctx)) {
      const fault = detailsFault(JSON.parse(String(params?.['authorization_details'])))
      if (fault) throw refused(`authorization_details ${fault}`)
      sound.add(ctx)
    }
    const api = (await apis.all()).forType(type)
    const mine = api && grantedTypes(await catalog.apps.find(client!.clientId), api)
    if (!api || !mine?.includes(type)) throw refused(`this client gets no authorization details of type '${type}'`)
    const resources = [params?.['resource'] ?? []].flat() as string[]
    if (resources.length > 0 && !resources.includes(api.audience))
      throw refused(`authorization details of type '${type}' are for another resource`)
    const wrong = await api.details.get(type)!.check(detail as AuthorizationDetail)
    if (wrong) throw refused(`authorization details of type '${type}': ${wrong}`)
  }

  /** Those that the token's API still knows, and its client may still have. */
  async function ofApi(details: readonly AuthorizationDetail[], clientId: string, audience: string | undefined) {
    const api = audience === undefined ? undefined : (await apis.all()).forAudience(audience)
    const mine = api && grantedTypes(await catalog.apps.find(clientId), api)
    return details.filter(({ type }) => mine?.includes(type))
  }

  return {
    enabled: true,
    types: Object.fromEntries(types.map((type) => [type, { validate }])),

    /** What a code is written down with: the person, or the registration of an app of ours, has agreed by then. */
    authorizationDetailsForGrantSource: async (ctx: KoaContextWithOIDC): Promise<Details> => [...askedDetails(ctx)],

    /** §6: whoever redeems a code or a refresh token may ask for less than was granted, and never for more. */
    async authorizationDetailsForAccessToken(
      ctx: KoaContextWithOIDC,
      token: Token,
      source: Detailed | undefined,
    ): Promise<Details> {
      const asked = ctx.oidc.params?.['authorization_details'] === undefined ? undefined : askedDetails(ctx)
      if (asked && source && !areCovered(asked, source.rar ?? [])) throw refused('more is asked for than was granted')
      return ofApi(asked ?? source?.rar ?? [], ctx.oidc.client!.clientId, token.resourceServer?.identifier())
    },

    /** §9.2. A token is for one API, so all that it has is that one's. */
    authorizationDetailsForIntrospection: async (_ctx: KoaContextWithOIDC, token: object): Promise<Details> => {
      const { rar } = token as Detailed
      return rar && [...rar]
    },
  }
}

/** RFC 8414 §2: what is empty is left out. */
export function leaveOutEmptyTypes(ctx: { body?: unknown; path: string }): void {
  const body = ctx.body as { authorization_details_types_supported?: readonly string[] } | undefined
  if (ctx.path.startsWith('/.well-known/') && body?.authorization_details_types_supported?.length === 0)
    delete body.authorization_details_types_supported
}

/** In the words of their APIs, with all that they say. */
export async function detailsInWords(
  details: readonly AuthorizationDetail[],
  apis: Pick<Apis, 'all'>,
): Promise<readonly DetailWords[]> {
  if (details.length === 0) return []
  const set = await apis.all()
  return details.map(({ type, locations: _, ...fields }) => {
    const api = set.forType(type)
    return { api: api?.name ?? '', words: api?.details.get(type)?.words ?? type, fields: [...leaves(fields, '')] }
  })
}

function* leaves(value: unknown, path: string): Generator<readonly [path: string, text: string]> {
  const isFlat = (one: unknown) => typeof one !== 'object' || one === null
  if (isFlat(value)) yield [path, String(value)]
  else if (Array.isArray(value) && value.every(isFlat)) yield [path, value.join(', ')]
  else
    for (const [name, one] of Object.entries(value as object))
      yield* leaves(one, path === '' ? name : `${path}.${name}`)
}
