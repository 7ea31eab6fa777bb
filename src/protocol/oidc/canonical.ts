/**
 * ATTACK: forgiving readers take one token in many spellings (other last bits, padding, blanks), so that what was spent in
 * one can be shown again in another. Whether all parts of the token are spelled in the only way that RFC 4648 §3.5 leaves.
 */
export const isCanonical = (token: string): boolean =>
  token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
