/** The steps that ask who somebody is and for a proof of it. */
import type { Messages } from '../languages/en.ts'
import { html, safeHref } from '../markup.ts'
import {
  around,
  field,
  form,
  heading,
  mark,
  name,
  passkeyAttributes,
  problem,
  remember,
  statusLine,
  submit,
  support,
  who,
  why,
  withoutPasskey,
} from '../parts.ts'
import type {
  ChoiceData,
  IdentifierData,
  PasskeyData,
  PasswordData,
  RecoveryCodeData,
  TotpData,
  View,
} from '../views.ts'
import { phrase } from '../words.ts'

/** What the page itself does; the script is only there for passkeys. */
const PASSKEY = { script: 'passkey' } as const

export function identifierView(data: IdentifierData, messages: Messages): View {
  const { title, lead, username, passkey } = messages.identifier
  const wrong = data.refusal !== undefined
  const body = html`${heading(title, data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'identifier',
  html`${field({ name: 'username', label: username, autocomplete: data.passkey ? 'username webauthn' : 'username', value: data.username, wrong, focus: true, kind: 'word', longest: 256 })}${submit(messages.common.continue)}`,
)}
${
  data.passkey &&
  form(
    data,
    'identifier',
    html`<p class="or"><span>${messages.common.or}</span></p><input type="hidden" name="credential"><button class="plain">${mark('passkey')}${passkey}</button>${statusLine()}`,
    passkeyAttributes('get', data.passkey.options, messages.passkey, true),
  )
}${
  data.choices &&
  html`<ul class="ways providers">${data.choices.map(
    (one) =>
      html`<li><a class="plain" href="${safeHref(one.href)}">${phrase(messages.federation.signInWith, { provider: name(one.name) })}</a>${one.silent && html`<p class="hint">${phrase(messages.federation.silent, { provider: name(one.name) })}${data.passkey && html` ${messages.federation.silentPasskey}`}</p>`}</li>`,
  )}</ul>`
}${around(data, messages)}`
  return { title, body, problem: wrong, ...(data.passkey && PASSKEY) }
}

export function passwordView(data: PasswordData, messages: Messages): View {
  const { title, lead, label, submit: button, show, hide } = messages.password
  const wrong = data.refusal !== undefined
  // the user name is in the form, unseen, so that password managers know whose password this is
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'password',
  html`<input type="text" name="username" autocomplete="username" value="${data.username}" readonly hidden>
${field({ name: 'password', label, type: 'password', autocomplete: 'current-password', wrong, focus: true, longest: 256, reveal: { show, hide } })}${submit(button)}`,
)}${around(data, messages)}`
  return { title, body, problem: wrong }
}

export function totpView(data: TotpData, messages: Messages): View {
  const { title, lead, label } = messages.totp
  const wrong = data.refusal !== undefined
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'totp',
  html`${field({ name: 'code', label, autocomplete: 'one-time-code', kind: 'digits', wrong, focus: true, longest: 32 })}${remember(data.remember, messages)}${submit(messages.common.continue)}`,
)}${around(data, messages)}`
  return { title, body, problem: wrong }
}

export function recoveryCodeView(data: RecoveryCodeData, messages: Messages): View {
  const { title, lead, label } = messages.recoveryCode
  const wrong = data.refusal !== undefined
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'recovery-code',
  html`${field({ name: 'code', label, autocomplete: 'off', kind: 'code', wrong, focus: true, longest: 64 })}${submit(messages.common.continue)}`,
)}${around(data, messages)}`
  return { title, body, problem: wrong }
}

export function passkeyView(data: PasskeyData, messages: Messages): View {
  const { title, lead, submit: button } = messages.passkey
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${lead}</p>${problem(data, messages)}${withoutPasskey(messages)}
${form(
  data,
  'passkey',
  html`<input type="hidden" name="credential">${remember(data.remember, messages)}${statusLine()}${submit(button)}`,
  passkeyAttributes('get', data.options, messages.passkey),
)}${around(data, messages)}`
  return { title, body, problem: data.refusal !== undefined, script: 'passkey' }
}

export function choiceView(data: ChoiceData, messages: Messages): View {
  const { title, lead } = messages.choice
  const body = html`${heading(title, data, messages)}${who(data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(data, 'choice', html`<ul class="ways">${data.ways.map((one) => html`<li>${way(one, messages)}</li>`)}</ul>`)}${data.refusal !== undefined && support(data.support)}${why(data, messages)}`
  return { title, body, problem: data.refusal !== undefined }
}

/** A button that is a whole row: picture, name, what it takes. */
export const way = (given: ChoiceData['ways'][number], messages: Messages) =>
  html`<button class="way" name="way" value="${given.way}">${mark(given.kind)}<span><b>${given.label ?? messages.factors[given.kind]}</b> <span class="hint">${messages.factorHints[given.kind]}</span></span></button>`
