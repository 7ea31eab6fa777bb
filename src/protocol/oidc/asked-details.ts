/** The authorization details of a request (RFC 9396), for whoever asks which they are. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { ApiSet, AuthorizationDetail } from '#apis'

/** What the engine writes tokens, codes and refresh tokens down with. */
export interface Detailed {
  readonly rar?: readonly AuthorizationDetail[] | undefined
}

/** As the request asks for them; whether they may be is the engine's next question. */
export const askedDetails = ({ oidc }: KoaContextWithOIDC): readonly AuthorizationDetail[] => detailsIn(oidc.params)

export function detailsIn(params: Readonly<Record<string, unknown>> | undefined): readonly AuthorizationDetail[] {
  const text = params?.['authorization_details']
  if (typeof text !== 'string') return []
  try {
    const details: unknown = JSON.parse(text)
    return Array.isArray(details) ? details.filter((one) => typeof one?.type === 'string') : []
  } catch {
    return []
  }
}

/** What policies are told of them. */
export const typesOf = (details: readonly AuthorizationDetail[] | undefined): readonly string[] => [
  ...new Set((details ?? []).map(({ type }) => type)),
]

/** §2.2: the APIs that they are for; a request that names none means these. */
export const audiencesOf = (details: readonly AuthorizationDetail[], set: ApiSet): readonly string[] => [
  ...new Set(details.flatMap(({ type }) => set.forType(type)?.audience ?? [])),
]
