/** A token of ours as text: claims, signed (RFC 7515 §7.1). */
import type { Signer } from '#keys'

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

/** `typ` where a token must never be taken for one of another kind (RFC 8725 §3.11). */
export async function signedToken(signer: Signer, claims: object, typ?: string): Promise<string> {
  const header = { alg: signer.alg, ...(typ === undefined ? {} : { typ }), kid: signer.kid }
  const signed = `${encoded(header)}.${encoded(claims)}`
  return `${signed}.${(await signer.sign(Buffer.from(signed))).toString('base64url')}`
}
