/** The configuration of a LemonLDAP::NG, written down: everything that it would otherwise look for in `/etc` and `/var`. */
import { join } from 'node:path'
import { NO_CAPTCHA, PEOPLE, PORTAL } from './lemonldap-perl.ts'

/** What it calls a sign-in by password, and one with a second factor, in `acr` and in `AuthnContextClassRef`. */
export const ACR = { password: 'https://refeds.org/profile/sfa', twoFactors: 'https://refeds.org/profile/mfa' } as const
const CONTEXT = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
export const CONTEXTS = {
  password: `${CONTEXT}PasswordProtectedTransport`,
  // SAML's own list has no class for several factors, and LemonLDAP::NG knows no other than that list's
  twoFactors: `${CONTEXT}TLSClient`,
} as const
const LEVELS = { password: 1, twoFactors: 5 } as const

export interface LemonldapPerson {
  readonly uid: string
  readonly password: string
  readonly name: string
  readonly mail?: string
  readonly employeeNumber?: string
  readonly groups?: readonly string[]
  /** Base32. With one, they are asked for a code of it after the password. */
  readonly totp?: string
}

export interface LemonldapRelyingParty {
  readonly id: string
  readonly secret: string
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris?: readonly string[]
}

export interface LemonldapServiceProvider {
  /** The service provider's metadata. `WantAssertionsSigned` in it decides whether assertions are signed. */
  readonly metadata: string
  /** Whether the whole response is signed; yes unless said otherwise. */
  readonly signResponse?: boolean
  readonly encrypt?: 'none' | 'nameid' | 'assertion'
  readonly nameIdFormat?: 'persistent' | 'transient' | 'email'
  /** Takes a request that nobody signed; it does not, unless said so. */
  readonly unsignedRequests?: boolean
}

export interface LemonldapFiles {
  readonly folder: string
  readonly origin: string
  /** PEM. */
  readonly key: string
  readonly certificate: string
  readonly people: readonly LemonldapPerson[]
  readonly relyingParties: readonly LemonldapRelyingParty[]
  readonly serviceProviders: readonly LemonldapServiceProvider[]
}

/** File names, in the folder, to their texts. */
export function lemonldapFiles(files: LemonldapFiles): Record<string, string> {
  return {
    'lemonldap-ng.ini': ini(files.folder),
    'conf/lmConf-1.json': JSON.stringify(configuration(files)),
    'people.json': JSON.stringify(files.people),
    'Kestrel.pm': PEOPLE,
    'NoCaptcha.pm': NO_CAPTCHA,
    'portal.psgi': PORTAL,
  }
}

export const LEMONLDAP_FOLDERS = ['conf', 'sessions/lock', 'persistent/lock', 'cache', 'notifications']

const ini = (folder: string) => `[all]
logLevel = warn
[configuration]
type = File
dirName = ${join(folder, 'conf')}
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
`

const sessions = (folder: string) => ({
  Directory: folder,
  LockDirectory: join(folder, 'lock'),
  generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256',
})

function configuration({ folder, origin, key, certificate, ...files }: LemonldapFiles) {
  const cache = { namespace: 'cache', cache_root: join(folder, 'cache'), cache_depth: 3, default_expires_in: 600 }
  return {
    cfgNum: 1,
    cfgVersion: '2.16.1',
    cfgDate: 1,
    key: 'of the test, for what it gives to browsers',
    portal: `${origin}/`,
    domain: 'localhost',
    // a browser sends cookies to every port of a host, and there may be several of these servers
    cookieName: `lemonldap${new URL(origin).port}`,
    securedCookie: 0,
    // `None`, as it has it for SAML, is refused by browsers without TLS, and then it forgets who wanted to go where
    sameSite: 'Lax',
    authentication: 'Custom',
    customAuth: 'Kestrel',
    userDB: 'Demo',
    passwordDB: 'Null',
    registerDB: 'Null',
    demoExportedVars: {
      uid: 'uid',
      cn: 'cn',
      mail: 'mail',
      employeeNumber: 'employeeNumber',
      _2fDevices: 'devices',
    },
    locationRules: { localhost: { default: 'accept' } },
    macros: { _whatToTrace: '$uid' },
    whatToTrace: '_whatToTrace',
    globalStorage: 'Apache::Session::File',
    globalStorageOptions: sessions(join(folder, 'sessions')),
    persistentStorage: 'Apache::Session::File',
    persistentStorageOptions: sessions(join(folder, 'persistent')),
    localSessionStorage: 'Cache::FileCache',
    localSessionStorageOptions: cache,
    notificationStorageOptions: { dirName: join(folder, 'notifications') },
    captcha: 'NoCaptcha',
    portalDisplayRegister: 0,
    portalDisplayResetPassword: 0,
    skipRenewConfirmation: 1,
    // `prompt=login` and `ForceAuthn` are obeyed, unless somebody signed in within this very second
    portalForceAuthnInterval: 0,
    totp2fActivation: 1,
    totp2fAuthnLevel: LEVELS.twoFactors,
    // codes of tests come from another clock's minute, now and then
    totp2fRange: 2,
    ...oidc(origin, files.relyingParties, key, certificate),
    ...saml(files.serviceProviders, key, certificate),
  }
}

function oidc(origin: string, parties: readonly LemonldapRelyingParty[], key: string, certificate: string) {
  const each = <T>(of: (party: LemonldapRelyingParty) => T) =>
    Object.fromEntries(parties.map((one) => [one.id, of(one)]))
  return {
    issuerDBOpenIDConnectActivation: 1,
    oidcServiceMetaDataIssuer: origin,
    oidcServicePrivateKeySig: key,
    oidcServicePublicKeySig: certificate,
    oidcServiceKeyIdSig: 'first',
    oidcServiceMetaDataAuthnContext: { [ACR.password]: LEVELS.password, [ACR.twoFactors]: LEVELS.twoFactors },
    oidcRPMetaDataOptions: each((party) => ({
      oidcRPMetaDataOptionsClientID: party.id,
      oidcRPMetaDataOptionsClientSecret: party.secret,
      oidcRPMetaDataOptionsRedirectUris: party.redirectUris.join(' '),
      oidcRPMetaDataOptionsPostLogoutRedirectUris: (party.postLogoutRedirectUris ?? []).join(' '),
      oidcRPMetaDataOptionsBypassConsent: 1,
      oidcRPMetaDataOptionsLogoutBypassConfirm: 1,
      oidcRPMetaDataOptionsIDTokenSignAlg: 'RS256',
      oidcRPMetaDataOptionsIDTokenForceClaims: 1,
      oidcRPMetaDataOptionsRequirePKCE: 1,
      oidcRPMetaDataOptionsUserIDAttr: 'uid',
    })),
    oidcRPMetaDataExportedVars: each(() => ({
      name: 'cn',
      email: 'mail',
      preferred_username: 'uid',
      employee_number: 'employeeNumber',
      groups: 'groups;string;always',
      amr: 'amr;string;always',
    })),
    oidcRPMetaDataOptionsExtraClaims: each(() => ({ profile: 'name preferred_username employee_number groups amr' })),
    oidcRPMetaDataMacros: each(() => ({ amr: '$_2f ? "pwd; otp; mfa" : "pwd"' })),
  }
}

function saml(providers: readonly LemonldapServiceProvider[], key: string, certificate: string) {
  const each = <T>(of: (provider: LemonldapServiceProvider) => T) =>
    Object.fromEntries(providers.map((one, index) => [`sp${index}`, of(one)]))
  return {
    issuerDBSAMLActivation: 1,
    samlServicePrivateKeySig: key,
    samlServicePublicKeySig: certificate,
    samlServiceUseCertificateInResponse: 1,
    samlServiceSignatureMethod: 'RSA_SHA256',
    samlOrganizationName: 'Kestrel',
    samlOrganizationDisplayName: 'Kestrel',
    samlAuthnContextMapPasswordProtectedTransport: LEVELS.password,
    samlAuthnContextMapTLSClient: LEVELS.twoFactors,
    samlSPMetaDataXML: each(({ metadata }) => ({ samlSPMetaDataXML: metadata })),
    samlSPMetaDataOptions: each((provider) => ({
      samlSPMetaDataOptionsSignSSOMessage: provider.signResponse === false ? 0 : 1,
      samlSPMetaDataOptionsCheckSSOMessageSignature: provider.unsignedRequests ? 0 : 1,
      samlSPMetaDataOptionsSignSLOMessage: 1,
      samlSPMetaDataOptionsCheckSLOMessageSignature: 1,
      samlSPMetaDataOptionsEncryptionMode: provider.encrypt ?? 'none',
      samlSPMetaDataOptionsNameIDFormat: provider.nameIdFormat ?? 'persistent',
      samlSPMetaDataOptionsNotOnOrAfterTimeout: 300,
      samlSPMetaDataOptionsForceUTF8: 1,
    })),
    samlSPMetaDataExportedAttributes: each(() => ({
      uid: '1;uid',
      cn: '0;cn',
      mail: '0;mail',
      employeeNumber: '0;employeeNumber',
      groups: '0;groups',
    })),
  }
}
