/** Questions with a yes and a no: access for an app, another device, signing out. */
import type { Messages } from '../languages/en.ts'
import { html, type Markup, safeHref } from '../markup.ts'
import { around, field, form, heading, mainLink, mark, name, problem, scopeList, submit } from '../parts.ts'
import type {
  Answers,
  ConsentData,
  DeviceCodeData,
  DeviceConfirmData,
  DeviceDoneData,
  HandOverData,
  SignedOutData,
  SignOutData,
  View,
} from '../views.ts'
import { fill, phrase } from '../words.ts'

const ALLOW_OR_DENY: Answers = Object.freeze({
  yes: { name: 'answer', value: 'allow' },
  no: { name: 'answer', value: 'deny' },
})

const buttons = ({ yes, no }: Answers = ALLOW_OR_DENY, yesLabel: string, noLabel: string): Markup =>
  html`<button class="main" name="${yes.name}" value="${yes.value}">${yesLabel}</button><button class="plain" name="${no.name}" value="${no.value}">${noLabel}</button>`

const signedInAs = (username: string | undefined, messages: Messages) =>
  username !== undefined &&
  html`<p class="hint">${phrase(messages.common.signedInAs, { username: name(username) })}</p>`

export function consentView(data: ConsentData, messages: Messages): View {
  const { title, lead, next, allow, deny } = messages.consent
  const body = html`<h1>${phrase(title, { app: html`<bdi>${data.app}</bdi>` })}</h1><p>${phrase(lead, { app: name(data.app) })}</p>
${scopeList(data.scopes, messages, data.details)}<p class="hint">${fill(next, { app: data.app })}</p>
${form(data, 'consent', buttons(data.answers, allow, deny))}${signedInAs(data.username, messages)}`
  return { title: fill(title, { app: data.app }), body }
}

export function deviceCodeView(data: DeviceCodeData, messages: Messages): View {
  const { title, lead, label } = messages.device
  const wrong = data.refusal !== undefined
  const body = html`${heading(title, data, messages)}<p>${lead}</p>${problem(data, messages)}
${form(
  data,
  'device-code',
  html`${field({ name: 'user_code', label, autocomplete: 'off', kind: 'code', value: data.userCode, wrong, focus: true, longest: 64 })}${submit(messages.common.continue)}`,
)}${data.signIn !== undefined && html`<p class="aside"><a href="${safeHref(data.signIn)}">${messages.identifier.title}</a></p>`}${around(data, messages)}`
  return { title, body, problem: wrong }
}

export function deviceConfirmView(data: DeviceConfirmData, messages: Messages): View {
  const { confirmTitle, confirmLead, allow, deny } = messages.device
  const body = html`<h1>${confirmTitle}</h1><p>${phrase(confirmLead, { app: name(data.app) })}</p>
<p class="letters" translate="no">${data.userCode}</p>
${data.scopes && data.scopes.length > 0 && html`<p>${phrase(messages.consent.lead, { app: name(data.app) })}</p>${scopeList(data.scopes, messages)}`}
${form(data, 'device-confirm', buttons(data.answers, allow, deny))}${signedInAs(data.username, messages)}`
  return { title: confirmTitle, body }
}

export function deviceDoneView(data: DeviceDoneData, messages: Messages): View {
  const { doneTitle, doneLead, stoppedTitle, stoppedLead } = messages.device
  const title = data.connected ? doneTitle : stoppedTitle
  const body = html`<h1>${title}</h1>${data.app !== undefined && html`<p class="way">${name(data.app)}</p>`}<p>${data.connected ? doneLead : stoppedLead}</p>`
  return { title, body }
}

export function signOutView(data: SignOutData, messages: Messages): View {
  const { title, lead, submit: yes, stay } = messages.signOut
  const { yes: leave } = data.answers ?? ALLOW_OR_DENY
  const body = html`<h1>${title}</h1>${signedInAs(data.username, messages)}<p>${lead}</p>
${form(
  data,
  'sign-out',
  data.stay === undefined
    ? buttons(data.answers, yes, stay)
    : html`<button class="main" name="${leave.name}" value="${leave.value}">${yes}</button><a class="plain" href="${safeHref(data.stay)}">${stay}</a>`,
)}`
  return { title, body }
}

/** What to do about an app stands beside its name: nobody has to know what the state means. */
function toldList({ confirmed, total, others }: NonNullable<SignedOutData['told']>, messages: Messages): Markup {
  const { counted, all, states, open } = messages.signedOut
  if (total === 0) return html``
  const line = others.length === 0 ? all : fill(counted, { confirmed, total })
  return html`<p class="told-count" role="status">${mark('done')}<strong>${line}</strong></p>
${
  others.length > 0 &&
  html`<dl class="told">${others.map(
    (app) =>
      html`<div><dt><bdi>${app.name}</bdi></dt><dd>${states[app.state]}${
        app.href !== undefined &&
        html`<a href="${safeHref(app.href)}" rel="noreferrer"><span>${phrase(open, { app: html`<bdi>${app.name}</bdi>` })}</span></a>`
      }</dd></div>`,
  )}</dl>`
}`
}

export function handOverView(data: HandOverData, messages: Messages): View {
  const { title, lead } = messages.handOver
  const body = html`<h1>${title}</h1><p>${lead}</p>${mainLink({ href: data.to, name: messages.common.continue })}`
  return { title, body }
}

export function signedOutView(data: SignedOutData, messages: Messages): View {
  const { title, lead, leadOthers, again, apps } = messages.signedOut
  const others = data.told?.others.some(({ state }) => state !== 'waiting') ?? false
  const body = html`<h1>${title}</h1><p>${others ? leadOthers : lead}</p>${data.told && toldList(data.told, messages)}<p><a class="main" href="${safeHref(data.signIn)}">${again}</a></p>
${
  data.apps &&
  data.apps.length > 0 &&
  html`<h2>${apps}</h2><ul class="links">${data.apps.map((app) => html`<li><a href="${safeHref(app.href)}"><bdi>${app.name}</bdi></a></li>`)}</ul>`
}`
  return { title, body }
}
