/** Where a conversation ends otherwise: refused, too late, not now, gone wrong. Each says what to do next. */
import type { Messages } from '../languages/en.ts'
import { html, safeHref } from '../markup.ts'
import { heading, mainLink, mark, name, reference, support } from '../parts.ts'
import type { ErrorData, ExpiredData, RefusedData, View, WaitingData, WhyData } from '../views.ts'
import { fill, inSeconds, phrase, refusalSentence, time } from '../words.ts'

export function refusedView(data: RefusedData, messages: Messages): View {
  const { title, titleApp, next, help, enrol, why, otherPerson } = messages.refused
  const links = [
    { href: data.enrol, name: enrol },
    { href: data.back?.href, name: data.back?.name ?? '' },
    { href: data.apps, name: messages.common.toApps },
    { href: data.otherPerson, name: otherPerson },
    { href: data.why, name: why },
  ].flatMap(({ href, name }) => (href === undefined ? [] : [{ href, name }]))
  const [first, ...others] = links
  const body = html`<h1>${data.app === undefined ? title : phrase(titleApp, { app: html`<bdi>${data.app}</bdi>` })}</h1>
<p class="say">${data.say}</p><h2>${next}</h2><p>${data.next ?? help}</p>${support(data.support)}${reference(data.reference, messages)}
${first && mainLink(first)}${others.length > 0 && html`<ul class="links">${others.map((link) => html`<li><a href="${safeHref(link.href)}">${link.name}</a></li>`)}</ul>`}`
  return { title: data.app === undefined ? title : fill(titleApp, { app: data.app }), body }
}

export function expiredView(data: ExpiredData, messages: Messages): View {
  const { title, lead, leadApp, again } = messages.expired
  const body = html`<h1>${title}</h1><p>${data.app === undefined ? lead : phrase(leadApp, { app: name(data.app) })}</p>${reference(data.reference, messages)}${mainLink({ href: data.again, name: again })}`
  return { title, body }
}

export function errorView(data: ErrorData, messages: Messages): View {
  const { title, next, home } = messages.error
  const { tryAgain, tryAgainWhen } = messages.common
  const when = data.retryAfter === undefined ? undefined : inSeconds(messages.language, data.retryAfter)
  const body = html`<h1>${title}</h1><p class="say">${refusalSentence(messages, data.code)}</p>
<p>${when === undefined ? next : fill(tryAgainWhen, { when })}</p>${reference(data.reference, messages)}
${data.again !== undefined && mainLink({ href: data.again, name: tryAgain })}${
  data.home !== undefined &&
  (data.again === undefined
    ? mainLink({ href: data.home, name: home })
    : html`<p class="aside"><a href="${safeHref(data.home)}">${home}</a></p>`)
}`
  return { title, body }
}

export function waitingView(data: WaitingData, messages: Messages): View {
  const { title, lead } = messages.waiting
  const { tryAgain, tryAgainWhen, otherWay } = messages.common
  const body = html`${heading(title, data, messages)}<p class="say">${refusalSentence(messages, data.code)}</p><p>${lead}</p>
${data.retryAfter !== undefined && html`<p><strong>${fill(tryAgainWhen, { when: inSeconds(messages.language, data.retryAfter) })}</strong></p>`}
${mainLink({ href: data.again, name: tryAgain })}${data.otherWay !== undefined && html`<p class="aside"><a href="${safeHref(data.otherWay)}">${otherWay}</a></p>`}`
  return { title, body }
}

export function whyView(data: WhyData, messages: Messages): View {
  const { title, outcome, at, app, rule, reasons, help } = messages.why
  const row = (label: string, value: ReturnType<typeof html> | string) =>
    html`<div><dt>${label}</dt><dd>${value}</dd></div>`
  const sentences = (list: readonly (string | ReturnType<typeof html>)[]) =>
    html`<ul class="reasons">${list.map((one) => html`<li>${one}</li>`)}</ul>`
  const body = html`<h1>${title}</h1><dl class="facts">${row(
    outcome,
    html`${mark(data.outcome === 'allow' ? 'done' : data.outcome === 'deny' ? 'lock' : 'passkey')}${messages.why[data.outcome]}`,
  )}${data.app !== undefined && row(app, html`<bdi>${data.app}</bdi>`)}${row(at, time(messages, data.at))}${
    data.rule !== undefined && row(rule, html`<bdi>${data.rule}</bdi>`)
  }</dl>${data.reasons.length > 0 && html`<h2>${reasons}</h2>${sentences(data.reasons)}`}${
    data.help && data.help.length > 0 && html`<h2>${help}</h2>${sentences(data.help)}`
  }${reference(data.reference, messages)}${data.back && mainLink(data.back)}`
  return { title, body }
}
