/** Whether somebody has agreed to this very request; what they agree to once and for all is in `grants.ts`. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Catalog } from '#catalog'

/** A yes in the conversation, as the engine keeps it for this request. */
export interface Consent {
  /** A person's id. */
  readonly by: string
}

/** ATTACK: somebody else may have signed in since, on the way through the same request. */
const hasAgreed = ({ result, session }: KoaContextWithOIDC['oidc']): boolean => {
  const { by } = (result?.['consent'] ?? {}) as Partial<Consent>
  return by !== undefined && by === session?.accountId
}

/** For authorization details: each request is about its own (RFC 9396 §12.2). */
export const asksForDetails =
  (catalog: Pick<Catalog, 'apps'>) =>
  async ({ oidc }: KoaContextWithOIDC): Promise<boolean> => {
    if (oidc.params?.['authorization_details'] === undefined || hasAgreed(oidc)) return false
    return !(await catalog.apps.find(oidc.client!.clientId))?.firstParty
  }

/** For a client that nobody registered: what it is may have changed since the last time. */
export const asksForDocument =
  (catalog: Pick<Catalog, 'apps'>) =>
  async ({ oidc }: KoaContextWithOIDC): Promise<boolean> =>
    (await catalog.apps.find(oidc.client!.clientId))?.document === true && !hasAgreed(oidc)
