/** On the way to another provider, and coming back from it for the first time. */
import type { Messages } from '../languages/en.ts'
import { html } from '../markup.ts'
import { form, heading, mainLink, mark, name, problem } from '../parts.ts'
import type { AwayData, ConnectData, NewcomerData, View } from '../views.ts'
import { fill, phrase } from '../words.ts'

/** Goes on by itself; the link is for browsers that do not. */
export function awayView(data: AwayData, messages: Messages): View {
  const { awayTitle, awayLead } = messages.federation
  const title = fill(awayTitle, { provider: data.title })
  const body = html`<h1>${phrase(awayTitle, { provider: html`<bdi>${data.title}</bdi>` })}</h1><p>${awayLead}</p>${mainLink({ href: data.to, name: messages.common.continue })}`
  return { title, body, goOn: data.to }
}

/** The same on the way back. */
export function backView(data: Pick<AwayData, 'to'>, messages: Messages): View {
  const { backTitle, backLead } = messages.federation
  const body = html`<h1>${backTitle}</h1><p>${backLead}</p>${mainLink({ href: data.to, name: messages.common.continue })}`
  return { title: backTitle, body, goOn: data.to }
}

/** A button that is a whole row, as where a way of signing in is chosen. */
const choice = (value: string, picture: 'done' | 'passkey', text: string, hint: string) =>
  html`<li><button class="way" name="answer" value="${value}">${mark(picture)}<span><b>${text}</b> <span class="hint">${hint}</span></span></button></li>`

export function newcomerView(data: NewcomerData, messages: Messages): View {
  const { newTitle, newLead, prove, proveHint, create, createHint, notMine } = messages.federation
  const rows = [
    data.may.includes('prove') && choice('prove', 'passkey', prove, proveHint),
    data.may.includes('create') && choice('create', 'done', create, createHint),
  ]
  const body = html`${heading(newTitle, data, messages)}<p>${phrase(newLead, { account: name(data.account), provider: name(data.provider) })}</p>${problem(data, messages)}
${form(data, 'newcomer', html`<ul class="ways">${rows}</ul>`)}<p class="aside"><a href="${data.notYou}">${notMine}</a></p>`
  return { title: newTitle, body, problem: data.refusal !== undefined }
}

export function connectView(data: ConnectData, messages: Messages): View {
  const { connectTitle, connectLead, connect, leave } = messages.federation
  const values = { account: name(data.account), provider: name(data.provider), username: name(data.username) }
  const body = html`${heading(connectTitle, data, messages)}<p>${phrase(connectLead, values)}</p>${problem(data, messages)}
${form(data, 'connect', html`<button class="main" name="answer" value="allow">${connect}</button><button class="plain" name="answer" value="deny">${leave}</button>`)}`
  return { title: connectTitle, body, problem: data.refusal !== undefined }
}
