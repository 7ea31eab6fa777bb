/** Why a provider cannot be asked, for whoever runs `directories test`: what went wrong at the bottom of it, and what to do. */

/** By the code of the cause. */
const FIXES: Readonly<Record<string, string>> = Object.freeze({
  ENOTFOUND: 'its host has no address: correct the URL, or the name server',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'nothing listens there: is the provider running, is the port right?',
  ECONNRESET: 'it hung up: with `https` on a plain port this is usual',
  EHOSTUNREACH: 'there is no way to this host: look at routes and firewalls',
  ENETUNREACH: 'there is no way to this network: look at routes and firewalls',
  TimeoutError: 'no answer in time: a firewall that drops packets, or a provider under load; `timeout` gives it longer',
  CERT_HAS_EXPIRED: 'its certificate has expired: the provider needs a new one',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host: use the name in it',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: start Portico with it in `NODE_EXTRA_CA_CERTS`',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known: start Portico with it in `NODE_EXTRA_CA_CERTS`',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'nobody known signed its certificate: start Portico with its authority in `NODE_EXTRA_CA_CERTS`',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not known: start Portico with it in `NODE_EXTRA_CA_CERTS`',
  OUTBOUND_REFUSED: 'its address is inside: where that is meant, allow its network in `outbound.allow`',
  'outbound-refused': 'its address is inside: where that is meant, allow its network in `outbound.allow`',
})

/** `otherwise` is what to look at where the cause says nothing. Libraries wrap what we need to know in words that say nothing. */
export function troubleOf(error: unknown, otherwise: string): { say: string; fix: string } {
  const causes: Error[] = []
  for (let one = error; one instanceof Error && causes.length < 8; one = one.cause) causes.push(one)
  const last = causes.at(-1)
  const say = last && 'detail' in last && typeof last.detail === 'string' ? last.detail : last?.message
  const words = causes.toReversed().flatMap((one) => [one.name, 'code' in one ? String(one.code) : ''])
  const known = words.find((word) => Object.hasOwn(FIXES, word))
  return { say: say || 'it cannot be asked', fix: known === undefined ? otherwise : FIXES[known]! }
}
