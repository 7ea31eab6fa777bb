/** Where an app asks somebody to confirm on a screen of their own: that it does, and the question itself. */
import type { Answer } from '#http'
import type { Messages } from '../languages/en.ts'
import { html, type Markup, nothing, safeHref } from '../markup.ts'
import { form, mark, name, scopeList } from '../parts.ts'
import type { View } from '../views.ts'
import { fill, phrase, time } from '../words.ts'
import type { AnsweredNotice, AskedData, ConfirmData } from './confirming-data.ts'

export const answeredNotice = (done: AnsweredNotice | undefined, messages: Messages): Markup =>
  done === undefined
    ? nothing
    : html`<p class="notice" role="status">${mark('done')}<span>${messages.confirming.done[done]}</span></p>`

/** Always there, so that it can be filled while somebody looks at the page, and read out when it is. */
export function askedSection(data: AskedData | undefined, messages: Messages): Markup {
  if (!data) return nothing
  const t = messages.confirming
  const rows = data.questions.map(
    ({ app, message, href }) =>
      html`<li class="row">${mark('alert')}<div><p><b><bdi>${app}</bdi></b></p>${message !== undefined && html`<p class="hint"><q><bdi>${message}</bdi></q></p>`}</div><a class="main" href="${safeHref(href)}">${t.look}<span class="unseen"> ${app}</span></a></li>`,
  )
  return html`<section class="asked" data-asked="${data.mark}" aria-live="polite">${
    rows.length > 0 && html`<h2>${t.waiting}</h2><ul class="rows">${rows}</ul>`
  }</section>`
}

/** The section alone, for a page that is left open; nothing of it where nobody is there who may read it. */
export const askedFragment = (data: AskedData | undefined, messages: Messages): Answer => ({
  status: 200,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  },
  body: html`<!doctype html><title>${messages.confirming.waiting}</title>${askedSection(data, messages)}`.toString(),
})

export function confirmView(data: ConfirmData, messages: Messages): View {
  const t = messages.confirming
  const { app, action, asker, message, proof } = data
  const about = { action }
  const answers = html`<button class="main" name="answer" value="allow">${proof === 'first' ? t.prove : t.approve}</button><button class="plain" name="answer" value="deny">${t.refuse}</button>`
  const body = html`<h1>${phrase(t.title, { app: html`<bdi>${app}</bdi>` })}</h1>
${proof === 'given' && html`<p class="notice" role="status">${mark('done')}<span>${t.proved}</span></p>`}
<p>${asker === undefined ? t.noAsker : phrase(t.asker, { name: name(asker) })}</p>
${message !== undefined && html`<p>${t.message}</p><p class="said"><bdi>${message}</bdi></p>`}
<p>${phrase(t.may, { app: name(app) })}</p>${scopeList(data.scopes, messages, data.details)}
<p class="hint">${phrase(t.times, { asked: time(messages, data.askedAt), until: time(messages, data.until) })}</p>
${proof === 'first' && html`<p class="hint">${t.proveFirst}</p>`}${form(about, 'confirm', answers)}
<details class="sure"><summary>${t.disown}</summary><p>${t.disownLead}</p>${form(
    about,
    'confirm',
    html`<button class="danger" name="answer" value="disown">${t.disownSubmit}</button>`,
  )}</details><p class="aside"><a href="${safeHref(data.back)}">${messages.common.toApps}</a></p>`
  return { title: fill(t.title, { app }), body }
}
