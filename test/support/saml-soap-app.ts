/** A SAML app whose server takes sign-outs over SOAP (SAML 2.0 Bindings §3.2), and answers each as it should be. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '#core/clock'
import { soapMessage } from '#saml'
import { ENTITY_ID, inEnvelope, logoutAnswerXml, signedMessage } from './saml-app.ts'
import { makeKeys } from './saml-provider.ts'

export interface SamlSoapApp {
  /** LogoutRequests, as they came. */
  readonly heard: string[]
  /** False: it takes them and never answers. */
  answers: boolean
  /** For a registration. */
  readonly saml: object
  close(): Promise<void>
}

export async function startSamlSoapApp(issuer: () => string, clock: Pick<Clock, 'now'>): Promise<SamlSoapApp> {
  const keys = await makeKeys()
  const heard: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const xml = soapMessage(Buffer.concat(chunks).toString())
      heard.push(xml)
      if (!app.answers) return
      const answer = logoutAnswerXml({
        ...{ issuer: ENTITY_ID, destination: `${issuer()}/saml/slo`, at: clock.now() },
        inResponseTo: / ID="([^"]*)"/.exec(xml)![1]!,
      })
      response
        .writeHead(200, { 'content-type': 'text/xml' })
        .end(inEnvelope(signedMessage(answer, 'LogoutResponse', keys)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const app: SamlSoapApp = {
    heard,
    answers: true,
    saml: {
      ...{ entity_id: ENTITY_ID, acs_urls: ['https://app.kestrel.example/saml/acs'] },
      signing_certificates: [keys.certificate],
      slo: [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/slo`, binding: 'soap' }],
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return app
}
