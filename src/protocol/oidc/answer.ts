import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Answer } from '#http'

/** An answer of the house through the engine's context. */
export function answer(ctx: KoaContextWithOIDC, { status, headers, body }: Answer): void {
  ctx.status = status
  for (const [name, value] of Object.entries(headers ?? {})) ctx.set(name, value)
  ctx.body = body ?? ''
}
