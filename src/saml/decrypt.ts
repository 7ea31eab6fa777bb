/**
 * What is inside of an EncryptedAssertion, EncryptedID or EncryptedAttribute (XML Encryption 1.1 §5.2, §5.5.2), with primitives
 * of `node:crypto` only.
 *
 * ATTACK: AES-CBC can be changed by whoever has the ciphertext, and what becomes of the changed one, or how long that takes, tells
 * of what is inside. So it is opened only where a signature that was checked before covers it; and whatever goes wrong here is
 * one fault with one page. RSA with PKCS #1 v1.5 padding and 3DES are refused. Decrypting says nothing about who wrote it, for
 * our public key is public: without a signature around it, one inside is checked afterwards.
 */
import { constants, createDecipheriv, type KeyObject, privateDecrypt } from 'node:crypto'
import { withNamespaces } from './fragment.ts'
import { ASSERTION, DSIG, XENC, XENC11 } from './names.ts'
import { childrenOf, requireOneEncryption, ShapeProblem } from './shape.ts'
import { elementsOf, readXml, type XmlElement, XmlProblem, xmlText } from './xml.ts'

const CIPHERS: Readonly<
  Record<string, { cipher: 'aes-128-cbc' | 'aes-256-cbc' | 'aes-128-gcm' | 'aes-256-gcm'; key: number }>
> = {
  [`${XENC}aes128-cbc`]: { cipher: 'aes-128-cbc', key: 16 },
  [`${XENC}aes256-cbc`]: { cipher: 'aes-256-cbc', key: 32 },
  [`${XENC11}aes128-gcm`]: { cipher: 'aes-128-gcm', key: 16 },
  [`${XENC11}aes256-gcm`]: { cipher: 'aes-256-gcm', key: 32 },
}
const HASHES: Readonly<Record<string, 'sha1' | 'sha256'>> = {
  // of OAEP, where SHA-1 is no weakness (RFC 8017 §B.1)
  [`${DSIG}sha1`]: 'sha1',
  [`${XENC}sha256`]: 'sha256',
}
const GCM = { nonce: 12, tag: 16 }
const BLOCK = 16
const LIMIT = 256 * 1024

const OTHERWISE = 'it was encrypted for another key, or changed'
const failed = (say: string): ShapeProblem => new ShapeProblem('encryption', say)

/**
 * The element of the assertion namespace that is inside of an EncryptedID or EncryptedAttribute. `holder` was read from bytes
 * that a signature covers. Throws `ShapeProblem` of fault `encryption`.
 */
export function opened(
  holder: XmlElement,
  name: 'NameID' | 'Attribute',
  privateKey: KeyObject | undefined,
): XmlElement {
  if (!privateKey) throw failed('there is no key to decrypt with')
  requireOneEncryption(holder)
  const text = decryptedText(holder, privateKey, { covered: true })
  try {
    const element = readXml(text, { size: LIMIT, comments: 'refused' })
    if (element.namespace === ASSERTION && element.name === name) return element
  } catch (error) {
    if (!(error instanceof XmlProblem)) throw error
  }
  throw failed(`what was encrypted is no ${name}`)
}

/**
 * The text inside, with the namespaces of where it stands (XML Encryption 1.1 §4.4). `covered`: by a signature that was checked.
 * Throws `ShapeProblem` of fault `encryption`, and `XmlProblem` where it is no text.
 */
export const decryptedText = (holder: XmlElement, privateKey: KeyObject, { covered }: { covered: boolean }): string =>
  withNamespaces(xmlText(decrypted(holder, privateKey, covered), LIMIT), holder.scope)

function decrypted(holder: XmlElement, privateKey: KeyObject, covered: boolean): Buffer {
  const [data] = childrenOf(holder, XENC, 'EncryptedData')
  const wrapped = [...elementsOf(holder)].find(({ namespace, name }) => namespace === XENC && name === 'EncryptedKey')
  const method = data && childrenOf(data, XENC, 'EncryptionMethod')[0]?.attributes.get('Algorithm')
  const known = method !== undefined && Object.hasOwn(CIPHERS, method) ? CIPHERS[method]! : undefined
  if (!data || !wrapped || !known) throw failed('it is encrypted in a way that is not accepted')
  if (!covered && !known.cipher.endsWith('gcm')) throw failed('AES-CBC is accepted in a signed Response only')
  const hash = oaepHash(wrapped)
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const key = privateDecrypt({ key: privateKey, padding, oaepHash: hash }, cipherValue(wrapped))
    if (key.length !== known.key) throw failed('the key has another length')
    const bytes = cipherValue(data)
    return known.cipher.endsWith('gcm') ? openGcm(known.cipher, key, bytes) : openCbc(known.cipher, key, bytes)
  } catch (error) {
    if (error instanceof ShapeProblem) throw error
    throw failed(OTHERWISE)
  }
}

function oaepHash(wrapped: XmlElement): 'sha1' | 'sha256' {
  const [method] = childrenOf(wrapped, XENC, 'EncryptionMethod')
  const algorithm = method?.attributes.get('Algorithm')
  const digest = method && childrenOf(method, DSIG, 'DigestMethod')[0]?.attributes.get('Algorithm')
  const mask = method && childrenOf(method, XENC11, 'MGF')[0]?.attributes.get('Algorithm')
  const hash = digest === undefined ? 'sha1' : HASHES[digest]
  // one hash for the label and the mask: what `node:crypto` can do
  const maskHash = mask === undefined ? 'sha1' : mask.replace(`${XENC11}mgf1`, '')
  const fits = algorithm === `${XENC}rsa-oaep-mgf1p` || algorithm === `${XENC11}rsa-oaep`
  if (!fits || hash === undefined || hash !== maskHash)
    throw failed('the key is encrypted in a way that is not accepted')
  return hash
}

function cipherValue(of: XmlElement): Buffer {
  const values = childrenOf(of, XENC, 'CipherData').flatMap((data) => childrenOf(data, XENC, 'CipherValue'))
  const [value] = values
  if (!value || values.length > 1) throw failed('an encrypted part has not exactly one value')
  return Buffer.from(value.text, 'base64')
}

function openGcm(cipher: string, key: Buffer, bytes: Buffer): Buffer {
  if (bytes.length < GCM.nonce + GCM.tag) throw failed('the encrypted part is too short')
  const decipher = createDecipheriv(cipher as 'aes-128-gcm', key, bytes.subarray(0, GCM.nonce), {
    authTagLength: GCM.tag,
  })
  decipher.setAuthTag(bytes.subarray(-GCM.tag))
  return Buffer.concat([decipher.update(bytes.subarray(GCM.nonce, -GCM.tag)), decipher.final()])
}

/** §5.2.2: the last byte says how many are padding; the others may be anything. */
function openCbc(cipher: string, key: Buffer, bytes: Buffer): Buffer {
  const decipher = createDecipheriv(cipher, key, bytes.subarray(0, BLOCK))
  decipher.setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(bytes.subarray(BLOCK)), decipher.final()])
  const padding = plain.at(-1) ?? 0
  if (padding < 1 || padding > BLOCK || padding > plain.length) throw failed(OTHERWISE)
  return plain.subarray(0, -padding)
}
