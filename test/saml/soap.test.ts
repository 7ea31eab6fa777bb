import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { selfSigned } from '../../src/saml/certificate.ts'
import { signed } from '../../src/saml/sign.ts'
import { soapEnvelope, soapFault, soapMessage } from '../../src/saml/soap.ts'
import { verifyMessage } from '../../src/saml/verify.ts'
import { xml } from '../../src/saml/write.ts'

const key = createPrivateKey(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
)
const ours = { key, certificate: selfSigned(key, 'portico.test', 0) }
const message = xml('samlp:LogoutRequest', { ID: '_a' }, xml('saml:Issuer', {}, 'https://app.test'))

test('a message in an envelope comes out with its signature still good', async () => {
  const source = soapMessage(soapEnvelope(await signed(message, ours)))
  const { element, signed: good } = await verifyMessage(source, [ours.certificate])
  expect([element.name, good]).toEqual(['LogoutRequest', true])
})

test('namespaces that stand at the envelope only still hold', () => {
  const source = soapMessage(
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><S:Header/><S:Body><p:LogoutResponse/></S:Body></S:Envelope>',
  )
  expect(source).toContain('xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"')
})

const envelope = soapEnvelope(message)
test.each([
  ['no envelope', '<a/>', 'soap'],
  [
    'SOAP 1.2',
    envelope.replace('http://schemas.xmlsoap.org/soap/envelope/', 'http://www.w3.org/2003/05/soap-envelope'),
    'soap',
  ],
  ['nothing in it', envelope.replace(/<samlp.*<\/samlp:LogoutRequest>/, ''), 'soap'],
  ['two messages', envelope.replace('</soap:Body>', '<a/></soap:Body>'), 'soap'],
  ['two bodies', envelope.replace('</soap:Body>', '</soap:Body><soap:Body></soap:Body>'), 'soap'],
  [
    'a header that must be understood',
    envelope.replace('<soap:Body>', '<soap:Header><a soap:mustUnderstand="1"/></soap:Header><soap:Body>'),
    'soap',
  ],
  ['a fault', soapFault('Client'), 'soap'],
  ['a document type', `<!DOCTYPE a>${envelope}`, 'doctype'],
  ['a comment', envelope.replace('https', '<!---->https'), 'comment'],
])('an envelope with %s is refused', (_, source, fault) => {
  expect(() => soapMessage(source)).toThrow(expect.objectContaining({ fault }))
})
