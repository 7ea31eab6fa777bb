/**
 * What the engine takes for a bug and is none: a store or a directory that does not answer. Whoever waits comes back
 * (RFC 9110 §15.6.4), and is told so in the words of OAuth.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { Refusal, retryAfterOf } from '#core/refusal'

/** The refusal that it is, where it is one of those that are over after a while. */
export const unavailable = (error: unknown): Refusal | undefined =>
  error instanceof Refusal && error.status === 503 ? error : undefined

/** Instead of what the engine has made of an error of ours: status 500 and `server_error`. */
export function tellUnavailable(ctx: KoaContextWithOIDC, error: unknown): void {
  const refused = unavailable(error)
  if (!refused) return
  ctx.status = refused.status
  ctx.set('cache-control', 'no-store')
  ctx.set('retry-after', String(retryAfterOf(refused.status, refused.retryAfter)))
  // pages are ours, and say it themselves
  if ((ctx.body as { error?: unknown } | undefined)?.error === 'server_error')
    ctx.body = { error: 'temporarily_unavailable', error_description: refused.say }
}
