/** Apps that are registered by their SAML metadata, from a file, an address or standard input, and what is read again later. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import { appsVerbs } from '../../src/cli/verbs/apps.ts'
import { movableClock } from '../abuse/people.ts'
import { openHouse, SHIPPED } from '../catalog/house.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { derOf, type Keys, makeKeys } from '../support/saml-provider.ts'
import { MAIN } from '../support/serve.ts'

const MD = 'urn:oasis:names:tc:SAML:2.0:metadata'
const BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:'
const HOURS = 3_600_000
const ISSUER = 'https://sso.kestrel.example'

const PAST = ' validUntil="2020-01-01T00:00:00Z"'
/** As a federation publishes it. */
const listOf = (metadata: string, attributes = ''): string =>
  `<md:EntitiesDescriptor xmlns:md="${MD}"${attributes}>${metadata.replace(/^<\?xml[^>]*>\s*/, '')}</md:EntitiesDescriptor>`

interface About {
  readonly entityId: string
  readonly origin: string
  readonly signing: readonly string[]
  readonly more: string
  readonly attributes: string
}

const certificate = (pem: string, use: string) =>
  `<md:KeyDescriptor use="${use}"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${derOf(pem)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`

/** As service providers write it: several bindings, the default not the first one. */
const metadataOf = ({ entityId, origin, signing, more, attributes }: About): string =>
  `<?xml version="1.0"?>\n<!-- made by the app -->\n<md:EntityDescriptor xmlns:md="${MD}" entityID="${entityId}"${attributes}>` +
  `<md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
  signing.map((pem) => certificate(pem, 'signing')).join('') +
  signing.map((pem) => certificate(pem, 'encryption')).join('') +
  `<md:SingleLogoutService Binding="${BINDING}SOAP" Location="${origin}/soap"/>` +
  `<md:SingleLogoutService Binding="${BINDING}HTTP-Redirect" Location="${origin}/slo" ResponseLocation="${origin}/slo/answers"/>` +
  `<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>` +
  `<md:AssertionConsumerService Binding="${BINDING}HTTP-POST" Location="${origin}/acs/old" index="0"/>` +
  `<md:AssertionConsumerService Binding="${BINDING}HTTP-Artifact" Location="${origin}/artifact" index="1"/>` +
  `<md:AssertionConsumerService Binding="${BINDING}HTTP-POST" Location="${origin}/acs" index="2" isDefault="true"/>${more}` +
  `</md:SPSSODescriptor></md:EntityDescriptor>`

const clock = movableClock()
let keys: Keys
let nextKeys: Keys
let weak: Keys
let server: Server
let served: { status: number; body: string }
let gateway: Gateway
let folder: string

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const about = (changes: Partial<About> = {}): string =>
  metadataOf({
    entityId: `${origin()}/metadata`,
    origin: origin(),
    signing: [keys.certificate],
    more: '',
    attributes: '',
    ...changes,
  })

beforeAll(async () => {
  ;[keys, nextKeys, weak] = await Promise.all([makeKeys(), makeKeys(), makeKeys(1024)])
  server = createServer((_, response) => response.writeHead(served.status).end(served.body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  served = { status: 200, body: about() }
  folder = mkdtempSync(join(tmpdir(), 'portico-saml-metadata-'))
  const settings = { issuer: ISSUER, catalog: SHIPPED, outbound: { allow: ['127.0.0.0/8'] } }
  writeFileSync(join(folder, 'portico.yaml'), JSON.stringify(settings))
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    apps: [
      {
        id: 'crm',
        policy: 'plain',
        audience: ['*'],
        name: 'CRM',
        saml: {
          entity_id: `${origin()}/metadata`,
          acs_urls: [`${origin()}/acs`],
          signing_certificates: [keys.certificate],
          requests_signed: true,
          metadata_url: `${origin()}/metadata`,
          attributes: [{ name: 'mail', value: 'email' }],
        },
      },
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
  await new Promise((resolve) => server.close(resolve))
})
afterEach(() => {
  served = { status: 200, body: about() }
})

async function portico(...words: string[]) {
  const lines = { out: [] as string[], err: [] as string[] }
  const code = await runCommand({
    words: [...words, '--json', '--config', join(folder, 'portico.yaml')],
    verbs: appsVerbs,
    openHouse: async () => (await openHouse({ url: `sqlite:${folder}/portico.db` })) as never,
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
  })
  return { code, value: code === 0 ? JSON.parse(lines.out.join('')) : undefined, err: lines.err.join('\n') }
}

const add = (id: string, source: string, ...more: string[]) =>
  portico('apps', 'add', '--id', id, '--policy', 'plain', '--audience', 'staff', '--saml-metadata', source, ...more)

test('apps add reads the metadata of a file, or from its address, which is kept', async () => {
  const file = join(folder, 'app.xml')
  writeFileSync(file, about({ entityId: 'https://file.kestrel.example/metadata' }))
  const first = await add('file', file)
  expect([first.code, first.err]).toEqual([0, expect.not.stringContaining('error')])
  expect(first.value).toMatchObject({
    entity_id: 'https://file.kestrel.example/metadata',
    acs_urls: [`${origin()}/acs`, `${origin()}/acs/old`],
    name_id_format: 'emailAddress',
    saml_metadata: `${ISSUER}/saml/metadata`,
    settings: [{ format: 'env', text: expect.stringContaining(`SAML_IDP_SSO_URL='${ISSUER}/saml/sso'`) }],
  })
  expect(first.value.metadata_url).toBeUndefined()
  expect(first.value.client_id).toBeUndefined()
  const second = await add('url', `${origin()}/metadata`, '--name', 'By address')
  expect(second.value).toMatchObject({ name: 'By address', metadata_url: `${origin()}/metadata` })

  const { manifest } = (await portico('apps', 'export', 'url')).value
  expect(manifest).toContain('requests_signed: true')
  expect(manifest).toMatch(/acs_indexes:\n\s+- 2\n\s+- 0/)
  expect(manifest).toMatch(/binding: soap/)
  expect(manifest).toContain(`response_url: ${origin()}/slo/answers`)
})

test('apps add says what is wrong with a document, and registers nothing', async () => {
  for (const [body, fault] of [
    [about({ more: '<!DOCTYPE x>' }), 'metadata-unreadable'],
    [`<!DOCTYPE x [<!ENTITY e "x">]>${about()}`, 'metadata-unreadable'],
    ['<html></html>', 'metadata-no-app'],
    [about().replaceAll('SPSSODescriptor', 'IDPSSODescriptor'), 'metadata-no-app'],
    [
      `<md:EntitiesDescriptor xmlns:md="${MD}">${about().slice(43)}${about().slice(43)}</md:EntitiesDescriptor>`,
      'metadata-',
    ],
    [about({ attributes: ' validUntil="2020-01-01T00:00:00Z"' }), 'metadata-expired'],
    [about({ attributes: ' validUntil="soon"' }), 'metadata-expired'],
    // the end may stand at the role, at the entity, or at the list around it (SAML 2.0 Metadata §2.3.1, §2.3.2, §2.4.1)
    [about().replace('<md:SPSSODescriptor', (one) => `${one}${PAST}`), 'metadata-expired'],
    [listOf(about({ attributes: PAST })), 'metadata-expired'],
    [listOf(about(), PAST), 'metadata-expired'],
    [about({ origin: 'http://app.kestrel.example' }), 'address-unsafe'],
  ] as const) {
    served = { status: 200, body }
    const { code, err } = await add('wrong', `${origin()}/metadata`)
    expect([code, err], fault).toEqual([2, expect.stringContaining(fault)])
  }
  served = { status: 404, body: '' }
  expect((await add('wrong', `${origin()}/metadata`)).err).toContain('status 404')
  expect((await add('wrong', join(folder, 'nothing.xml'))).err).toContain('ENOENT')
  expect((await add('wrong', 'http://10.0.0.1/metadata')).err).toContain('outbound-refused')
})

const crm = async () => (await gateway.server.house.catalog.apps.find('crm'))!.saml!
const tickLater = async (hours: number) => {
  clock.at += hours * HOURS
  await gateway.server.tick()
}

test('a running server reads it again: new certificates and addresses of the same origin count, what was chosen by hand stays', async () => {
  served = { status: 200, body: about({ signing: [keys.certificate, nextKeys.certificate] }) }
  await tickLater(6)
  const after = await crm()
  expect(after.signingCertificates).toHaveLength(2)
  expect(after.acsUrls).toEqual([`${origin()}/acs`, `${origin()}/acs/old`])
  expect(after.slo.map(({ binding }) => binding)).toEqual(['soap', 'redirect'])
  expect([after.nameIdFormat, after.attributes, after.metadataUrl]).toEqual([
    'persistent',
    [{ name: 'mail', value: 'email' }],
    `${origin()}/metadata`,
  ])
  const changed = await gateway.server.house.audit.search({ event: 'app-changed', app: 'crm' })
  expect(changed.map(({ actor }) => actor)).toEqual(['system'])
  // not again before it is time
  served = { status: 200, body: about({ signing: [nextKeys.certificate] }) }
  await tickLater(5)
  expect((await crm()).signingCertificates).toHaveLength(2)
  await tickLater(1)
  expect((await crm()).signingCertificates).toHaveLength(1)
})

test('what does not fit the registration changes nothing', async () => {
  await tickLater(6)
  const before = await crm()
  const wrong: [string, typeof served][] = [
    ['metadata-entity-id', { status: 200, body: about({ entityId: 'https://evil.example' }) }],
    ['metadata-origin', { status: 200, body: about({ origin: 'https://evil.example' }) }],
    [
      'metadata-origin',
      {
        status: 200,
        body: about({
          more: `<md:AssertionConsumerService Binding="${BINDING}HTTP-POST" Location="https://evil.example/acs" index="9"/>`,
        }),
      },
    ],
    [
      'metadata-origin',
      {
        status: 200,
        body: about({
          more: `<md:SingleLogoutService Binding="${BINDING}HTTP-POST" Location="https://evil.example/slo"/>`,
        }),
      },
    ],
    [
      'metadata-origin',
      {
        status: 200,
        body: about({
          more: `<md:SingleLogoutService Binding="${BINDING}HTTP-POST" Location="${origin()}/slo" ResponseLocation="https://evil.example/slo"/>`,
        }),
      },
    ],
    ['metadata-expired', { status: 200, body: listOf(about(), PAST) }],
    ['metadata-no-key', { status: 200, body: about({ signing: [] }) }],
    ['metadata-no-key', { status: 200, body: about({ signing: [weak.certificate] }) }],
    ['metadata-unreadable', { status: 200, body: 'x'.repeat(100) }],
    ['metadata-expired', { status: 200, body: about({ attributes: ' validUntil="2020-01-01T00:00:00Z"' }) }],
    ['metadata-unreachable', { status: 500, body: '' }],
    ['metadata-unreachable', { status: 200, body: 'x'.repeat(2_000_000) }],
  ]
  // what comes in a list is taken like any other
  served = { status: 200, body: listOf(about()) }
  await tickLater(6)
  expect(await crm()).toEqual(before)
  const refusals = () => gateway.log().split('saml-metadata-refused').length
  const refused = refusals()
  for (const [i, [fault, answer]] of wrong.entries()) {
    served = answer
    await tickLater(6)
    // the server's own clock may have begun to read it
    await expect.poll(refusals, { message: fault }).toBe(refused + i + 1)
    expect(await crm(), fault).toEqual(before)
    expect(
      gateway
        .log()
        .trimEnd()
        .split('\n')
        .findLast((line) => line.includes('saml-metadata-refused')),
    ).toContain(fault)
  }
  // and requests that had to be signed still have to be
  served = { status: 200, body: about().replace('AuthnRequestsSigned="true"', 'AuthnRequestsSigned="false"') }
  await tickLater(6)
  expect((await crm()).requestsSigned).toBe(true)
})

test('apps add reads the metadata that come on its standard input', async () => {
  const add = (id: string, metadata: string) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const words = ['--id', id, '--policy', 'plain', '--audience', 'staff', '--saml-metadata', '-']
      const more = ['--json', '--config', join(gateway.folder, 'portico.yaml')]
      const child = spawn(process.execPath, [MAIN, 'apps', 'add', ...words, ...more])
      const said = { out: '', err: '' }
      for (const [name, stream] of [
        ['out', child.stdout],
        ['err', child.stderr],
      ] as const)
        stream.setEncoding('utf8').on('data', (text: string) => {
          said[name] += text
        })
      child.on('close', (code) => resolve({ code, ...said }))
      // in two pieces, as a slow pipe brings it
      child.stdin.write(metadata.slice(0, 100))
      child.stdin.end(metadata.slice(100))
    })
  const added = await add('piped', about({ entityId: 'https://piped.kestrel.example/metadata' }))
  expect([added.code, added.err]).toEqual([0, expect.not.stringContaining('error')])
  expect(JSON.parse(added.out)).toMatchObject({ id: 'piped', entity_id: 'https://piped.kestrel.example/metadata' })
  const { saml } = (await gateway.server.house.catalog.apps.find('piped'))!
  expect(saml).toMatchObject({
    acsUrls: [`${origin()}/acs`, `${origin()}/acs/old`],
    signingCertificates: [keys.certificate],
  })
  // nobody reads it again
  expect(saml!.metadataUrl).toBeUndefined()
  expect(await add('nothing', '')).toMatchObject({ code: 2, err: expect.stringContaining('metadata-unreadable') })
  expect(await gateway.server.house.catalog.apps.find('nothing')).toBeUndefined()
}, 120_000)
