/** The pages of somebody who is signed in: the launcher and the account. */
import type { Messages } from '../languages/en.ts'
import { html, type Markup, nothing, type Slot, safeHref } from '../markup.ts'
import { buttonForm, mark, problem } from '../parts.ts'
import type { AccountData, AccountFactor, LauncherApp, LauncherData, View } from '../views.ts'
import { fill, phrase, scopeName, time } from '../words.ts'
import { answeredNotice, askedSection } from './confirming.ts'

export function launcherView(data: LauncherData, messages: Messages): View {
  const { title, hello, lead, none, noneNext } = messages.launcher
  const body = html`${data.name !== undefined && html`<p class="hello">${phrase(hello, { name: html`<bdi>${data.name}</bdi>` })}</p>`}<h1>${title}</h1>
${answeredNotice(data.answered, messages)}${askedSection(data.asked, messages)}${
  data.apps.length === 0
    ? html`<p>${none}</p><p>${noneNext}</p>`
    : html`<p>${lead}</p><ul class="doors">${data.apps.map((app) => html`<li>${door(app, messages)}</li>`)}</ul>`
}`
  return { title, body, layout: 'wide', ...(data.asked ? { script: 'asked' } : {}) }
}

/** Each app is a door in the colonnade; a lock says that it asks first. */
const door = (app: LauncherApp, messages: Messages): Markup =>
  html`<a class="door" href="${safeHref(app.href)}"><span class="arch" aria-hidden="true">${initial(app.name)}</span><span class="label"><b><bdi>${app.name}</bdi></b>${
    app.note !== undefined && html` <span class="hint">${app.note}</span>`
  }${app.locked && html` <span class="locked">${mark('lock')}${messages.launcher.locked}</span>`}</span></a>`

/** The first letter or digit, whatever the script. */
const initial = (name: string): string => (/[\p{L}\p{N}]/u.exec(name)?.[0] ?? '·').toUpperCase()

export function accountView(data: AccountData, messages: Messages): View {
  const { title, lead } = messages.account
  const body = html`<h1>${title}</h1><p class="who"><span><b><bdi>${data.name}</bdi></b> <bdi>${data.username}</bdi>${
    data.organisation !== undefined && html` · <bdi>${data.organisation}</bdi>`
  }</span></p>${problem(data, messages)}${data.notice && html`<p class="notice" role="status">${mark('done')}<span>${messages.notices[data.notice]}</span></p>`}${askedSection(data.asked, messages)}<p>${lead}</p>
${factors(data, messages)}${sessions(data, messages)}${devices(data, messages)}${consents(data, messages)}`
  const script = data.asked ? ({ script: 'asked' } as const) : {}
  return { title, body, layout: 'wide', problem: data.refusal !== undefined, ...script }
}

const section = (id: string, title: string, content: Slot): Markup =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`

const row = (picture: Slot, title: Slot, lines: readonly Slot[], action: Slot): Markup =>
  html`<li class="row">${picture}<div><p>${title}</p>${lines.filter(Boolean).map((line) => html`<p class="hint">${line}</p>`)}</div>${action}</li>`

/** A button says what it is for to those who hear it without the row around it. */
const named = (label: string, what: string): Markup => html`<span>${label}<span class="unseen"> ${what}</span></span>`

const current = (is: boolean | undefined, messages: Messages): Slot =>
  is && html` <span class="badge">${messages.account.thisOne}</span>`

function factors(data: AccountData, messages: Messages): Markup {
  const t = messages.account
  const { addPasskey, addTotp, makeRecoveryCodes, changePassword } = data.actions
  const hasCodes = data.factors.some(({ kind }) => kind === 'recovery-code')
  const hasPassword = data.factors.some(({ kind }) => kind === 'password')
  const add = (action: string | undefined, label: string) =>
    action !== undefined && buttonForm(action, data.hidden, label, 'plain')
  return section(
    'factors',
    t.factors,
    html`${data.factors.length === 0 ? html`<p>${t.noFactors}</p>` : html`<ul class="rows">${data.factors.map((one) => factor(one, data.hidden, messages))}</ul>`}
<div class="actions">${add(addPasskey, t.addPasskey)}${add(addTotp, t.addTotp)}${add(makeRecoveryCodes, hasCodes ? t.newRecoveryCodes : t.makeRecoveryCodes)}${add(
      changePassword,
      hasPassword ? t.changePassword : messages.changePassword.titleFirst,
    )}</div>`,
  )
}

function factor(one: AccountFactor, hidden: AccountData['hidden'], messages: Messages): Markup {
  const t = messages.account
  const title = messages.factors[one.kind]
  // 0: nobody knows since when, as with the passwords of a directory
  const dates = html`${one.createdAt > 0 && phrase(t.added, { date: time(messages, one.createdAt) })}${one.lastUsedAt !== undefined && html`, ${phrase(t.used, { date: time(messages, one.lastUsedAt) })}`}`
  const state =
    one.left !== undefined
      ? fill(t.left, { count: one.left })
      : one.backedUp === undefined
        ? undefined
        : one.backedUp
          ? t.backedUp
          : t.thisOnly
  const called =
    (one.kind === 'passkey' || one.kind === 'totp') &&
    one.label !== undefined &&
    one.label !== title &&
    html` <bdi>${one.label}</bdi>`
  // a second press stands between a tired hand and the loss of a way in; it needs no script
  const remove =
    one.remove === undefined
      ? nothing
      : html`<details class="sure"><summary>${named(t.remove, `${title} ${one.label ?? ''}`)}</summary><p>${t.removeSure}</p>${buttonForm(one.remove, hidden, t.remove, 'danger')}</details>`
  return row(mark(one.kind), html`<b>${title}</b>${called}`, [state, dates], remove)
}

function sessions(data: AccountData, messages: Messages): Markup {
  const t = messages.account
  const rows = data.sessions.map((one) =>
    row(
      undefined,
      html`<b>${one.browser ?? t.unknownBrowser}</b>${current(one.current, messages)}`,
      [
        html`${phrase(t.started, { date: time(messages, one.startedAt) })}, ${phrase(t.seen, { date: time(messages, one.lastSeenAt) })}`,
        one.address !== undefined && html`<bdi>${one.address}</bdi>`,
      ],
      one.end !== undefined && buttonForm(one.end, data.hidden, named(t.end, one.browser ?? t.unknownBrowser), 'plain'),
    ),
  )
  const { endOtherSessions: others, endAllSessions: all } = data.actions
  return section(
    'sessions',
    t.sessions,
    html`<ul class="rows">${rows}</ul>${html`<div class="actions">${others !== undefined && data.sessions.length > 1 && buttonForm(others, data.hidden, t.endOthers, 'plain')}${
      all !== undefined && buttonForm(all, data.hidden, t.endAll, 'plain')
    }</div>`}`,
  )
}

function devices(data: AccountData, messages: Messages): Markup {
  const t = messages.account
  const rows = data.devices.map((one) =>
    row(
      undefined,
      html`<b><bdi>${one.label}</bdi></b>${current(one.current, messages)}`,
      [
        one.lastSeenAt !== undefined && phrase(t.seen, { date: time(messages, one.lastSeenAt) }),
        one.trustedUntil !== undefined && phrase(t.trusted, { date: time(messages, one.trustedUntil) }),
      ],
      one.forget !== undefined && buttonForm(one.forget, data.hidden, named(t.forget, one.label), 'plain'),
    ),
  )
  return section(
    'devices',
    t.devices,
    data.devices.length === 0
      ? html`<p>${t.noDevices}</p>`
      : html`<p>${t.devicesLead}</p><ul class="rows">${rows}</ul>`,
  )
}

function consents(data: AccountData, messages: Messages): Markup {
  if (!data.consents || data.consents.length === 0) return nothing
  const t = messages.account
  const rows = data.consents.map((one) =>
    row(
      undefined,
      html`<b><bdi>${one.app}</bdi></b>`,
      [one.scopes.map((scope) => scopeName(messages, scope)).join('; ')],
      one.withdraw !== undefined && buttonForm(one.withdraw, data.hidden, named(t.withdraw, one.app), 'plain'),
    ),
  )
  return section('consents', t.consents, html`<ul class="rows">${rows}</ul>`)
}
