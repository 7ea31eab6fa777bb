/**
 * Encrypting for somebody else (XML Encryption 1.1 §5.2.4, §5.5.2): AES-256-GCM, its key by RSA-OAEP. SHA-1 inside of OAEP is no
 * weakness (RFC 8017 §B.1), and the one form that every service provider opens.
 */
import { constants, createCipheriv, publicEncrypt, X509Certificate } from 'node:crypto'
import { randomBytes } from '#core/random'
import { DSIG, XENC, XENC11 } from './names.ts'
import { canonical, type QualifiedName, type Xml, xml } from './write.ts'

const KEY = 32
const NONCE = 12

const cipherData = (bytes: Buffer): Xml =>
  xml('xenc:CipherData', {}, xml('xenc:CipherValue', {}, bytes.toString('base64')))

/** The Assertion, signed or not, for the key of that certificate (PEM). */
export const encryptedAssertion = (assertion: Xml, certificate: string): Xml =>
  encrypted('saml:EncryptedAssertion', assertion, certificate)

/** The same with a NameID (Core §2.2.4). */
export const encryptedId = (nameId: Xml, certificate: string): Xml => encrypted('saml:EncryptedID', nameId, certificate)

function encrypted(holder: QualifiedName, element: Xml, certificate: string): Xml {
  const key = randomBytes(KEY)
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const hidden = Buffer.concat([nonce, cipher.update(canonical(element)), cipher.final(), cipher.getAuthTag()])
  const { publicKey } = new X509Certificate(certificate)
  const wrapped = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, key)
  return xml(
    holder,
    {},
    xml(
      'xenc:EncryptedData',
      { Type: `${XENC}Element` },
      xml('xenc:EncryptionMethod', { Algorithm: `${XENC11}aes256-gcm` }),
      xml(
        'ds:KeyInfo',
        {},
        xml(
          'xenc:EncryptedKey',
          {},
          xml(
            'xenc:EncryptionMethod',
            { Algorithm: `${XENC}rsa-oaep-mgf1p` },
            xml('ds:DigestMethod', { Algorithm: `${DSIG}sha1` }),
          ),
          cipherData(wrapped),
        ),
      ),
      cipherData(hidden),
    ),
  )
}
