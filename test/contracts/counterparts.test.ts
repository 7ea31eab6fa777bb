/** Identity providers that are not ours do what our tests of them take for granted: who is at fault is clear, then. */
import { createVerify, X509Certificate } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#core/clock'
import { createBrowser, formsOf, type Page } from '../../demo/browser.ts'
import { type Lemonldap, startLemonldap } from '../support/lemonldap.ts'
import { ACR, CONTEXTS, type LemonldapPerson } from '../support/lemonldap-files.ts'
import { samlAnswer, signInAtLemonldap } from '../support/lemonldap-pages.ts'

const NOWHERE = 'http://localhost:9/'
const CALLBACK = `${NOWHERE}callback`
const ENTITY = `${NOWHERE}sp`
const ACS = `${NOWHERE}acs`
const RENATE: LemonldapPerson = {
  uid: 'renate',
  password: 'a kite over the dunes',
  name: 'Renate Köhler',
  mail: 'renate@partner.example',
  employeeNumber: '4711',
  groups: ['repairs', 'stores'],
}
const MIRA: LemonldapPerson = {
  uid: 'mira',
  password: 'two ferries at dawn',
  name: 'Mira Okafor',
  mail: 'mira@partner.example',
  totp: 'JBSWY3DPEHPK3PXP',
}
const metadata = `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${ENTITY}"><md:SPSSODescriptor
  AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"
  ><md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${ACS}" index="0"
  isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>`

let provider: Lemonldap
let other: Lemonldap

beforeAll(async () => {
  ;[provider, other] = await Promise.all([
    startLemonldap({
      people: [RENATE, MIRA],
      relyingParties: [{ id: 'portico', secret: 'of the relying party', redirectUris: [CALLBACK] }],
      serviceProviders: [{ metadata, unsignedRequests: true }],
    }),
    startLemonldap({ people: [RENATE] }),
  ])
})
afterAll(async () => {
  await Promise.all([provider?.end(), other?.end()])
})

describe('LemonLDAP::NG as an OpenID Connect provider', () => {
  const party = () =>
    oidc.discovery(new URL(provider.issuer), 'portico', 'of the relying party', undefined, {
      execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
    })

  async function begin(parameters: Record<string, string> = {}) {
    const config = await party()
    const verifier = oidc.randomPKCECodeVerifier()
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid profile email',
      state: 'the state',
      nonce: 'the nonce',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...parameters,
    })
    const finish = async (back: Page) => {
      const checks = { pkceCodeVerifier: verifier, expectedState: 'the state', expectedNonce: 'the nonce' }
      return (await oidc.authorizationCodeGrant(config, back.url, { ...checks, idTokenExpected: true })).claims()!
    }
    return { url: url.href, finish }
  }

  async function claimsOf(person: LemonldapPerson, browser = newBrowser()) {
    const { url, finish } = await begin()
    return finish(await signInAtLemonldap(browser, await browser.open(url), person))
  }

  it('signs somebody in by password and says who, how and when', async () => {
    const claims = await claimsOf(RENATE)
    expect(claims).toMatchObject({
      iss: provider.issuer,
      sub: 'renate',
      email: 'renate@partner.example',
      name: 'Renate Köhler',
      employee_number: '4711',
      acr: ACR.password,
      amr: ['pwd'],
    })
    expect([...(claims['groups'] as string[])].sort()).toEqual(['repairs', 'stores'])
    expect(Math.abs(claims['auth_time']! - systemClock.now() / 1000)).toBeLessThan(20)
  })

  it('says so where a second factor was given', async () => {
    const claims = await claimsOf(MIRA)
    expect(claims).toMatchObject({ sub: 'mira', acr: ACR.twoFactors, amr: ['pwd', 'otp', 'mfa'] })
  })

  it('does not ask again, unless it is asked to', async () => {
    const browser = newBrowser()
    await claimsOf(RENATE, browser)
    const silent = await begin()
    expect(await silent.finish(await browser.open(silent.url))).toMatchObject({ sub: 'renate' })
    const anew = await begin({ prompt: 'login' })
    let page: Page | undefined
    // within the second of a sign-in it is taken for a new one
    const asked = async () => {
      page = await browser.open(anew.url)
      return formsOf(page).length > 0
    }
    await expect.poll(asked, { timeout: 10_000 }).toBe(true)
    expect(await anew.finish(await signInAtLemonldap(browser, page!, RENATE))).toMatchObject({ sub: 'renate' })
  })

  it('lets nobody in with a wrong password', async () => {
    await expect(claimsOf({ ...RENATE, password: 'wrong' })).rejects.toThrow()
  })
})

describe('LemonLDAP::NG as a SAML identity provider', () => {
  async function answered(person: LemonldapPerson) {
    const browser = newBrowser()
    const request = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
      xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_ours" Version="2.0" IssueInstant="${nowText()}"
      Destination="${provider.issuer}/saml/singleSignOn" AssertionConsumerServiceURL="${ACS}"
      ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>${ENTITY}</saml:Issuer><samlp:NameIDPolicy
      Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" AllowCreate="true"/></samlp:AuthnRequest>`
    const query = new URLSearchParams({ SAMLRequest: deflateRawSync(request).toString('base64'), RelayState: 'ours' })
    const asked = await browser.open(`${provider.issuer}/saml/singleSignOn?${query}`)
    const { action, fields } = samlAnswer(await signInAtLemonldap(browser, asked, person))
    return {
      action,
      relayState: fields.get('RelayState'),
      xml: Buffer.from(fields.get('SAMLResponse')!, 'base64').toString(),
    }
  }
  const value = (xml: string, attribute: string) =>
    new RegExp(`Name="${attribute}"[^>]*><saml:AttributeValue>([^<]*)<`).exec(xml)?.[1]
  const nameId = (xml: string) => /<saml:NameID [^>]*>([^<]+)</.exec(xml)?.[1]

  it('serves metadata with its certificate', async () => {
    const answer = await fetch(provider.metadataUrl)
    const text = (await answer.text()).replace(/\s/g, '')
    expect(text).toContain(`entityID="${provider.metadataUrl}"`)
    expect(text).toContain(new X509Certificate(provider.certificate()).raw.toString('base64'))
  })

  it('answers to the address that asked, with the state that it was given', async () => {
    const { action, relayState, xml } = await answered(RENATE)
    expect([action.href, relayState]).toEqual([ACS, 'ours'])
    expect(xml).toContain('InResponseTo="_ours"')
  })

  it('signs the response and the assertion with the key of its certificate', async () => {
    const { xml } = await answered(RENATE)
    const signatures = [
      ...xml.matchAll(/(<SignedInfo>[\s\S]*?<\/SignedInfo>)\s*<SignatureValue>([\s\S]*?)<\/SignatureValue>/g),
    ]
    expect(signatures).toHaveLength(2)
    for (const [, info, signature] of signatures) {
      // exclusive canonical form: the namespace is inherited, and empty elements have an end tag
      const canonical = info!
        .replace('<SignedInfo>', '<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">')
        .replace(/<(\w+)([^<>]*)\/>/g, '<$1$2></$1>')
      const verify = createVerify('RSA-SHA256').update(canonical)
      expect(verify.verify(provider.certificate(), signature!.replace(/\s/g, ''), 'base64')).toBe(true)
    }
  })

  it('tells the attributes, how the person signed in, and the same persistent name each time', async () => {
    const [first, again, mira] = [await answered(RENATE), await answered(RENATE), await answered(MIRA)]
    expect(value(first.xml, 'uid')).toBe('renate')
    expect(value(first.xml, 'cn')).toBe('Renate Köhler')
    expect(value(first.xml, 'mail')).toBe('renate@partner.example')
    expect(first.xml).toContain(CONTEXTS.password)
    expect(mira.xml).toContain(CONTEXTS.twoFactors)
    expect(nameId(again.xml)).toBe(nameId(first.xml))
    expect(nameId(mira.xml)).not.toBe(nameId(first.xml))
  })
})

describe('copies of it', () => {
  it('run side by side, each with its own people and keys', async () => {
    expect(other.certificate()).not.toBe(provider.certificate())
    const document = (await (await fetch(`${other.issuer}/.well-known/openid-configuration`)).json()) as {
      issuer: string
    }
    expect(document.issuer).toBe(other.issuer)
  })

  it('are gone once they are stopped, and come back with new keys', async () => {
    const before = other.certificate()
    await other.stop()
    await expect(fetch(other.issuer)).rejects.toThrow()
    await other.start({ newKeys: true })
    expect(other.certificate()).not.toBe(before)
    const text = (await (await fetch(other.metadataUrl)).text()).replace(/\s/g, '')
    expect(text).toContain(new X509Certificate(other.certificate()).raw.toString('base64'))
  })
})

const newBrowser = () => createBrowser({ stopAt: NOWHERE })
const nowText = () => new Date(systemClock.now()).toISOString()
