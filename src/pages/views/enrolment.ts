/** The steps that add a way to sign in. */
import type { RefusalCode } from '#core/refusals'
import type { Messages } from '../languages/en.ts'
import { html, type Markup } from '../markup.ts'
import {
  around,
  backLink,
  field,
  form,
  heading,
  passkeyAttributes,
  problem,
  statusLine,
  submit,
  who,
  withoutPasskey,
} from '../parts.ts'
import type {
  ChangePasswordData,
  ClaimData,
  EnrolChoiceData,
  EnrolPasskeyData,
  EnrolTotpData,
  NewPasswordData,
  RecoveryCodesData,
  View,
} from '../views.ts'
import { fill } from '../words.ts'
import { way } from './proof.ts'

export function enrolChoiceView(data: EnrolChoiceData, messages: Messages): View {
  const { title, lead, forApp, later } = messages.enrolChoice
  const body = html`<h1>${title}</h1><p>${data.app === undefined ? lead : fill(forApp, { app: data.app })}</p>${problem(data, messages)}
${form(
  data,
  'enrol-choice',
  html`<ul class="ways">${data.ways.map((one) => html`<li>${way(one, messages)}</li>`)}</ul>${
    data.later && html`<button class="plain" name="way" value="later">${later}</button>`
  }`,
)}${around(data, messages)}`
  return { title, body, problem: data.refusal !== undefined }
}

export function enrolPasskeyView(data: EnrolPasskeyData, messages: Messages): View {
  const { title, lead, hint, submit: button } = messages.enrolPasskey
  const body = html`${heading(title, data, messages)}<p>${lead}</p><p class="hint">${hint}</p>${problem(data, messages)}${withoutPasskey(messages)}
${form(
  data,
  'enrol-passkey',
  html`<input type="hidden" name="credential">${statusLine()}${submit(button)}`,
  passkeyAttributes('create', data.options, messages.enrolPasskey),
)}${around(data, messages)}${backLink(data.back, messages)}`
  return { title, body, problem: data.refusal !== undefined, script: 'passkey' }
}

export function enrolTotpView(data: EnrolTotpData, messages: Messages): View {
  const { title, scan, qr, key, open, type, submit: button } = messages.enrolTotp
  const wrong = data.refusal !== undefined
  // only an address of this one scheme, which no browser runs
  const uri = data.uri?.startsWith('otpauth://') ? data.uri : undefined
  const body = html`${heading(title, data, messages)}${problem(data, messages)}
<ol class="steps"><li><p>${scan}</p>${
    data.qrSvg !== undefined &&
    html`<img class="qr" width="200" height="200" alt="${qr}" src="${svgImage(data.qrSvg)}">`
  }<p class="hint">${key}</p><p class="secret" translate="no">${grouped(data.secret)}</p>${
    uri !== undefined && html`<p class="aside"><a href="${uri}">${open}</a></p>`
  }</li><li><p>${type}</p>
${form(
  data,
  'enrol-totp',
  html`${field({ name: 'code', label: messages.totp.label, autocomplete: 'one-time-code', kind: 'digits', wrong, longest: 32 })}${submit(button)}`,
)}</li></ol>${around(data, messages)}${backLink(data.back, messages)}`
  return { title, body, problem: wrong }
}

/** As an image, whose scripts and links a browser never follows. */
const svgImage = (svg: string): string => `data:image/svg+xml;base64,${Buffer.from(svg, 'utf8').toString('base64')}`

/** A long key in groups of four: easier to copy by hand. A line may break between groups. */
const grouped = (secret: string): string => (secret.match(/.{1,4}/gs) ?? []).join(' ')

export function recoveryCodesView(data: RecoveryCodesData, messages: Messages): View {
  const { title, lead, once, print, stored } = messages.recoveryCodes
  const body = html`<h1>${title}</h1><p>${lead}</p><p><strong>${once}</strong></p>
<ol class="codes" translate="no">${data.codes.map((code) => html`<li>${code}</li>`)}</ol>
${form(data, 'recovery-codes', html`<button type="button" class="plain" hidden data-print>${print}</button>${submit(stored)}`)}`
  return { title, body }
}

/** What a directory, or we, have against a password that is to be set. */
const AGAINST_NEW: readonly (RefusalCode | undefined)[] = [
  'password-in-history',
  'password-refused',
  'password-too-short',
  'password-too-young',
  'password-weak',
]

/** The current and the new password, with the unseen user name for password managers. */
function passwordFields(
  data: { username: string; refusal?: RefusalCode; current?: boolean },
  { changePassword: { current, label }, password: { show, hide } }: Messages,
): Markup {
  const first = data.current === false
  const weak = AGAINST_NEW.includes(data.refusal)
  const wrong = data.refusal !== undefined && !weak
  return html`<input type="text" name="username" autocomplete="username" value="${data.username}" readonly hidden>
${!first && field({ name: 'current', label: current, type: 'password', autocomplete: 'current-password', wrong, focus: !weak, longest: 256 })}
${field({ name: 'password', label, type: 'password', autocomplete: 'new-password', wrong: weak || (first && wrong), focus: first || weak, longest: 256, reveal: { show, hide } })}`
}

/** On the way in: the directory lets nobody in with the password as it is. */
export function newPasswordView(data: NewPasswordData, messages: Messages): View {
  const { title, expired, mustChange, more, submit: button } = messages.newPassword
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${data.because === 'password-expired' ? expired : mustChange}</p><p class="hint">${messages.changePassword.lead} ${more}</p>${problem(data, messages)}
${form(data, 'new-password', html`${passwordFields(data, messages)}${submit(button)}`)}${around(data, messages)}`
  return { title, body, problem: data.refusal !== undefined }
}

export function changePasswordView(data: ChangePasswordData, messages: Messages): View {
  const { title, titleFirst, lead, submit: button } = messages.changePassword
  const first = data.current === false
  const body = html`${heading(first ? titleFirst : title, data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(data, 'change-password', html`${passwordFields(data, messages)}${submit(button)}`)}${around(data, messages)}${backLink(data.back, messages)}`
  return { title: first ? titleFirst : title, body, problem: data.refusal !== undefined }
}

export function claimView(data: ClaimData, messages: Messages): View {
  const { title, lead, name, mail, submit: button } = messages.claim
  const { show, hide } = messages.password
  const weak = data.refusal === 'password-weak'
  const wrongName = data.refusal === 'name-invalid'
  const wrongMail = data.refusal === 'mail-invalid'
  const wrong = data.refusal !== undefined && !weak && !wrongName && !wrongMail
  const body = html`<h1>${title}</h1><p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'claim',
  html`${field({ name: 'username', label: messages.identifier.username, autocomplete: 'username', value: data.username, kind: 'word', wrong, focus: wrong || data.refusal === undefined, longest: 256 })}
${field({ name: 'name', label: name, autocomplete: 'name', value: data.name, wrong: wrongName, focus: wrongName, longest: 256 })}
${field({ name: 'mail', label: mail, type: 'email', autocomplete: 'email', value: data.mail, optional: true, wrong: wrongMail, focus: wrongMail, longest: 254 })}
${field({ name: 'password', label: messages.password.label, type: 'password', autocomplete: 'new-password', hint: messages.changePassword.lead, wrong: weak, focus: weak, longest: 256, reveal: { show, hide } })}${submit(button)}`,
)}`
  return { title, body, problem: data.refusal !== undefined }
}
