/** Trace context (W3C Trace Context §3.2): which trace of the operator's a request belongs to. */

/**
 * Version, trace, parent, flags. What comes later versions may put behind that (§3.2.4).
 *
 * ATTACK: anybody may send this header. So it is a number of fixed length or nothing, it stands in lines of the log and nowhere else,
 * and nothing is ever decided or found by it.
 */
const PARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/

/** 32 hexadecimal digits; undefined where there is none, or none that can be believed. */
export function traceIdOf(traceparent: string | string[] | undefined): string | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > 256) return undefined
  const [, version, trace, more] = PARENT.exec(traceparent) ?? []
  return version === '00' && more !== undefined ? undefined : trace
}
