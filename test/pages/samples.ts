/** Every view with ordinary data, for the tests and the gallery. `hostile` puts one text into every place that takes text. */
import {
  accountView,
  browserName,
  changePasswordView,
  choiceView,
  claimView,
  confirmView,
  consentView,
  deviceCodeView,
  deviceConfirmView,
  deviceDoneView,
  deviceEnrolledView,
  document,
  enrolChoiceView,
  enrolDeviceView,
  enrolPasskeyView,
  enrolTotpView,
  errorView,
  expiredView,
  handOverView,
  helpSentence,
  helpSentences,
  identifierView,
  type Language,
  launcherView,
  type Messages,
  messagesFor,
  type Nav,
  newPasswordView,
  openingView,
  passkeyView,
  passwordView,
  reasonSentence,
  recoveryCodesView,
  recoveryCodeView,
  refusedView,
  signedOutView,
  signOutView,
  totpView,
  type View,
  waitingView,
  whyView,
} from '#pages'

export const NONCE = 'bm9uY2Utb2YtYS10ZXN0'
const AT = Date.UTC(2026, 10, 22, 9, 0)
const HOUR = 3_600_000
const ACTION = '/signin/abc?step=1'

export const REQUEST_OPTIONS = { challenge: 'Y2hhbGxlbmdl', rpId: 'localhost', userVerification: 'required' }
export const CREATION_OPTIONS = {
  challenge: 'Y2hhbGxlbmdl',
  rp: { id: 'localhost', name: 'Kestrel Mobile' },
  user: { id: 'c2Ft', name: 'sam.jansen', displayName: 'Sam Jansen' },
  pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
  authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
}
export const QR =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 21 21"><path fill="#000" d="M0 0h7v7H0zM14 0h7v7h-7zM0 14h7v7H0zM9 9h3v3H9zM13 13h2v4h-2zM17 9h3v2h-3zM9 16h2v4H9z"/></svg>'

const AGENT =
  'Mozilla/5.0 (Linux; Android 15; SM-X210) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36'

/** `text` stands wherever a caller's text can stand; `undefined` takes the ordinary sample. */
export function samples(messages: Messages, hostile?: string): Record<string, View> {
  const t = (ordinary: string) => hostile ?? ordinary
  const app = t('Kestrel CRM')
  const step = {
    action: hostile ? `/signin/${hostile}` : ACTION,
    app,
    why: t(reasonSentence(messages, 'too-old', { app, within: '12h' })),
    otherWay: t('/signin/abc?other'),
    hidden: { [t('tab')]: t('1') },
  }
  const support = t('Call the helpdesk at extension 4711.')
  const who = { username: t('sam.jansen'), notYou: t('/signin/abc?somebody-else') }
  const options = hostile ? { challenge: hostile } : REQUEST_OPTIONS
  const creation = hostile ? { challenge: hostile } : CREATION_OPTIONS
  const back = { href: t('/signin/abc?back'), name: t(messages.common.back) }
  const link = { href: t('https://crm.kestrel.example/'), name: t(messages.common.toApps) }
  const reasons = [
    t(reasonSentence(messages, 'denied-by-rule', { rule: 'closed outside stores' })),
    t(reasonSentence(messages, 'condition-held', { condition: messages.conditions.network })),
  ]
  const help = [
    helpSentences(messages, [
      { code: 'use-network', values: { networks: t('stores, head-office') } },
      { code: 'use-hardware-key' },
    ]),
    helpSentences(messages, [
      { code: 'come-back-later', at: AT },
      { code: 'use-platform', values: { platform: t('ios') } },
    ]),
    t(helpSentence(messages, 'ask-help-desk')),
  ]
  const scopes = hostile ? [hostile] : ['openid', 'profile', 'email', 'groups', 'offline_access', 'orders:read']
  return {
    identifier: identifierView({ ...step, passkey: { options } }, messages),
    'identifier-plain': identifierView(
      { action: ACTION, username: t('sam.jansen'), refusal: 'input-invalid' },
      messages,
    ),
    password: passwordView({ ...step, ...who }, messages),
    'password-wrong': passwordView({ ...step, ...who, refusal: 'password-wrong', support }, messages),
    'password-throttled': passwordView({ ...step, ...who, refusal: 'throttled', retryAfter: 41, support }, messages),
    'new-password': newPasswordView({ ...step, ...who, because: 'password-must-change' }, messages),
    'new-password-refused': newPasswordView(
      { ...step, ...who, because: 'password-expired', refusal: 'password-in-history', support },
      messages,
    ),
    totp: totpView({ ...step, ...who, remember: { days: 30 } }, messages),
    'totp-wrong': totpView({ ...step, ...who, refusal: 'code-invalid' }, messages),
    'recovery-code': recoveryCodeView({ ...step, ...who, refusal: 'code-invalid' }, messages),
    passkey: passkeyView({ ...step, ...who, options, remember: { days: 30, ticked: true } }, messages),
    choice: choiceView(
      {
        ...step,
        ...who,
        ways: [
          { way: t('passkey'), kind: 'passkey' },
          { way: 'totp', kind: 'totp' },
          { way: 'recovery-code', kind: 'recovery-code', label: t(messages.recoveryCode.label) },
        ],
      },
      messages,
    ),
    'enrol-choice': enrolChoiceView(
      {
        ...step,
        ways: [
          { way: t('passkey'), kind: 'passkey' },
          { way: 'totp', kind: 'totp' },
        ],
        later: true,
      },
      messages,
    ),
    'enrol-passkey': enrolPasskeyView({ ...step, options: creation, back: t('/account') }, messages),
    'enrol-totp': enrolTotpView(
      {
        ...step,
        secret: t('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'),
        uri: `otpauth://totp/${t('Kestrel:sam')}?secret=JBSW`,
        qrSvg: hostile ?? QR,
        back: t('/account'),
        refusal: 'code-invalid',
      },
      messages,
    ),
    'recovery-codes': recoveryCodesView(
      { action: ACTION, codes: hostile ? [hostile] : Array.from({ length: 10 }, (_, i) => `7K4Q-92M${i}-XH`) },
      messages,
    ),
    consent: consentView({ action: ACTION, app, scopes, username: t('sam.jansen') }, messages),
    'device-code': deviceCodeView({ ...step, userCode: t('BDWD-HQPK'), refusal: 'code-invalid' }, messages),
    'device-code-throttled': deviceCodeView(
      { ...step, refusal: 'throttled', retryAfter: 900, signIn: t('/signin') },
      messages,
    ),
    'device-confirm': deviceConfirmView(
      {
        action: ACTION,
        userCode: t('BDWD-HQPK'),
        app,
        scopes,
        username: t('sam.jansen'),
        answers: { yes: { name: t('confirm'), value: t('yes') }, no: { name: t('abort'), value: t('yes') } },
      },
      messages,
    ),
    'device-done': deviceDoneView({ connected: true, app }, messages),
    'device-stopped': deviceDoneView({ connected: false }, messages),
    'enrol-device': enrolDeviceView({ action: '/device' }, messages),
    'enrol-device-given': enrolDeviceView({ action: '/device', code: t('7K4Q-92MD-X3F8'), given: true }, messages),
    'enrol-device-replaces': enrolDeviceView(
      {
        action: '/device',
        code: t('7K4Q-92MD-X3F8'),
        given: true,
        now: { id: t('d1'), name: t('Tablet 2'), site: t('0412 Utrecht'), stay: t('/device') },
      },
      messages,
    ),
    'enrol-device-wrong': enrolDeviceView(
      { action: hostile ?? '/device', code: t('7K4Q-92MD-X3F9'), refusal: 'device-code-invalid' },
      messages,
    ),
    'device-enrolled': deviceEnrolledView(
      { kind: 'shared', name: t('Tablet 2'), site: t('0412 Utrecht'), again: t('/device?another') },
      messages,
    ),
    'device-enrolled-personal': deviceEnrolledView(
      { kind: 'personal', name: t('Chrome, Android'), again: '/device?another' },
      messages,
    ),
    opening: standing(
      openingView(
        {
          app,
          action: hostile ?? 'https://crm.kestrel.example/saml/acs',
          fields: { SAMLResponse: t('PHNhbWw+'), RelayState: t('/orders?id=7') },
        },
        messages,
      ),
    ),
    'sign-out': signOutView({ action: ACTION, username: t('sam.jansen'), stay: t('/') }, messages),
    'sign-out-form': signOutView({ action: ACTION }, messages),
    'signed-out': signedOutView({ signIn: t('/signin'), apps: [link] }, messages),
    'signed-out-told': signedOutView({ signIn: t('/signin'), told: { confirmed: 8, total: 8, others: [] } }, messages),
    'signed-out-others': signedOutView(
      {
        signIn: t('/signin'),
        told: {
          confirmed: 3,
          total: 8,
          others: [
            { name: t('Rota'), state: 'waiting' },
            { name: t('Stock'), state: 'unreached' },
            { name: t('SIM swap'), state: 'refused', href: link.href },
            { name: t('Payroll'), state: 'asked' },
            {
              name: t('The till of the year before last, which nobody has looked at since'),
              state: 'deaf',
              href: link.href,
            },
          ],
        },
      },
      messages,
    ),
    // between the sign-outs of two apps or providers; it would go on by itself after an hour only
    'signed-out-on': {
      ...signedOutView({ signIn: t('/signin') }, messages),
      postOn: {
        url: hostile ?? 'https://crm.kestrel.example/saml/slo',
        fields: { SAMLRequest: t('PHNhbWw+'), RelayState: t('/orders?id=7') },
        after: 3600,
      },
    },
    'hand-over': handOverView({ to: t('/signin/abc') }, messages),
    refused: refusedView(
      {
        say: t(reasons[0]!),
        next: help[0]!,
        support,
        app,
        reference: t('7K4Q-92MD'),
        why: t('/why/7K4Q-92MD'),
        enrol: t('/account'),
        back,
        apps: t('/'),
        otherPerson: t('/signin/abc?somebody-else'),
      },
      messages,
    ),
    'refused-unmet': refusedView(
      {
        say: t(reasonSentence(messages, 'cannot-be-met', { app })),
        next: t(messages.refused.help),
        app,
        reference: t('7K4Q-92MD'),
        why: t('/why/7K4Q-92MD'),
        back,
        apps: t('/'),
        otherPerson: t('/signin/abc?somebody-else'),
      },
      messages,
    ),
    'refused-bare': refusedView({ say: t(messages.reasons['no-rule']) }, messages),
    expired: expiredView({ again: t('/'), app }, messages),
    error: errorView(
      { code: 'internal', reference: t('01JD4Z7M3K'), home: t('/'), again: t('/account'), retryAfter: 30 },
      messages,
    ),
    'error-bare': errorView({ code: 'not-found', home: t('/') }, messages),
    waiting: waitingView(
      { code: 'overloaded', retryAfter: 21, again: t('/signin/abc'), app, otherWay: t('/signin/abc?other') },
      messages,
    ),
    why: whyView(
      {
        outcome: 'deny',
        reference: t('7K4Q-92MD'),
        at: AT,
        app,
        rule: t('closed outside stores'),
        reasons,
        help,
        back: link,
      },
      messages,
    ),
    claim: claimView(
      {
        action: ACTION,
        username: t('sam'),
        name: t('Sam Jansen'),
        mail: t('sam@kestrel.example'),
        refusal: 'password-weak',
      },
      messages,
    ),
    launcher: launcherView(
      {
        name: t('Sam Jansen'),
        apps: [
          { id: 'crm', name: app, href: t('https://crm.kestrel.example/'), note: t('Sales') },
          { id: 'sim', name: t('SIM swap'), href: '/a', locked: true },
          { id: 'stock', name: t('Voorraadbeheer filialen'), href: '/b', note: t('Kestrel Logistics') },
          { id: 'care', name: t('Клиентский сервис'), href: '/c', locked: true, note: t('Care') },
          { id: 'rota', name: t('Rota'), href: '/d' },
        ],
      },
      messages,
    ),
    'launcher-empty': launcherView({ apps: [] }, messages),
    'launcher-asked': launcherView(
      {
        name: t('Sam Jansen'),
        answered: 'disowned',
        asked: {
          mark: t('x'),
          questions: [
            { id: 'a', app, message: t('Desk 12, code 4711'), href: t('/confirmations/a') },
            { id: 'b', app: t('Клиентский сервис'), href: '/confirmations/b' },
          ],
        },
        apps: [{ id: 'crm', name: app, href: '/a' }],
      },
      messages,
    ),
    confirm: confirmView(
      {
        action: t('/confirmations/a'),
        app,
        asker: t('Aleksandra van den Berg-Hoffmann'),
        message: t('Desk 12, code 4711'),
        scopes: ['openid', 'profile', 'groups'],
        askedAt: AT,
        until: AT + HOUR / 12,
        proof: 'given',
        back: '/',
      },
      messages,
    ),
    'confirm-first': confirmView(
      {
        action: '/confirmations/a',
        app: t('Клиентский сервис'),
        scopes: ['openid'],
        askedAt: AT,
        until: AT + HOUR / 12,
        proof: 'first',
        back: '/',
      },
      messages,
    ),
    account: accountView(
      {
        name: t('Sam Jansen'),
        username: t('sam.jansen'),
        organisation: t('retail/nl'),
        notice: 'passkey-added',
        refusal: 'last-factor',
        factors: [
          { id: 'p', kind: 'password', label: t('password'), createdAt: AT - 900 * HOUR, lastUsedAt: AT },
          {
            id: 'k',
            kind: 'passkey',
            label: t('Pixel 9'),
            createdAt: AT - 90 * HOUR,
            backedUp: true,
            remove: t('/account/factors/k/remove'),
          },
          { id: 'o', kind: 'totp', createdAt: AT - 9 * HOUR, remove: '/account/factors/o/remove' },
          { id: 'r', kind: 'recovery-code', createdAt: AT - 9 * HOUR, left: 7 },
        ],
        sessions: [
          {
            id: 's1',
            startedAt: AT - 3 * HOUR,
            lastSeenAt: AT,
            address: t('203.0.113.9'),
            browser: t(browserName(messages, AGENT) ?? ''),
            current: true,
            end: t('/account/sessions/s1/end'),
          },
          { id: 's2', startedAt: AT - 30 * HOUR, lastSeenAt: AT - 2 * HOUR, end: '/account/sessions/s2/end' },
        ],
        devices: [
          {
            id: 'd1',
            label: t('Android tablet'),
            lastSeenAt: AT,
            trustedUntil: AT + 700 * HOUR,
            current: true,
            forget: t('/account/devices/d1/forget'),
          },
        ],
        consents: [{ app, scopes, withdraw: t('/account/consents/x/withdraw') }],
        actions: {
          addPasskey: t('/account/passkeys'),
          addTotp: '/account/totp',
          makeRecoveryCodes: '/account/recovery-codes',
          changePassword: '/account/password',
          endOtherSessions: '/account/sessions/end-others',
          endAllSessions: '/account/sessions/end-all',
        },
        hidden: { [t('token')]: t('x') },
      },
      messages,
    ),
    'account-empty': accountView(
      { name: t('Sam Jansen'), username: t('sam.jansen'), factors: [], sessions: [], devices: [], actions: {} },
      messages,
    ),
    'change-password': changePasswordView(
      { action: ACTION, username: t('sam.jansen'), refusal: 'password-weak', back: t('/account') },
      messages,
    ),
    'set-password': changePasswordView({ action: ACTION, username: t('sam.jansen'), current: false }, messages),
  }
}

const NAV: Nav = { apps: '/', account: '/account', signOut: '/signout' }

/** The whole document of one sample. */
/** As browsers without scripts show it: it would go on to the app before anybody could look at it. */
function standing({ script: _script, ...view }: View): View {
  return view
}

export function page(
  view: View,
  lang: Language,
  hostile?: string,
): { status: number; headers: Readonly<Record<string, string>>; body: string } {
  const answer = document({
    ...view,
    lang,
    nonce: NONCE,
    organisation: hostile ?? 'Kestrel Mobile',
    messages: messagesFor(lang),
    path: hostile ? `/${hostile}` : '/signin/abc?app=crm',
    ...(view.layout === 'wide'
      ? {
          nav: hostile
            ? { apps: hostile, account: hostile, signOut: hostile, more: [{ href: hostile, name: hostile }] }
            : { ...NAV, current: 'apps' },
        }
      : {}),
  })
  return { status: answer.status, headers: answer.headers ?? {}, body: String(answer.body) }
}
