/** The clock of a server that speaks HTTP (RFC 9110 §6.6.1). */
import type { Instant } from '#core/clock'
import type { Outbound } from '#http'

/** In whole seconds. Undefined where it does not tell. `limit`: bytes of the document. Throws what `outbound` throws. */
export async function clockAt(outbound: Outbound, url: string, limit: number): Promise<Instant | undefined> {
  const { headers } = await outbound(url, { limit })
  const at = Date.parse(headers['date'] ?? '')
  return Number.isNaN(at) ? undefined : at
}
