/** From here into an app, with a message that the browser posts. */
import type { Messages } from '../languages/en.ts'
import { html } from '../markup.ts'
import { buttonForm } from '../parts.ts'
import type { OpeningData, View } from '../views.ts'
import { fill, phrase } from '../words.ts'

/** The form goes by itself; the button is for browsers without scripts. */
export function openingView(data: OpeningData, messages: Messages): View {
  const { title, lead, hint } = messages.opening
  const body = html`<h1>${phrase(title, { app: html`<bdi>${data.app}</bdi>` })}</h1><p>${lead}</p>
<div data-post>${buttonForm(data.action, data.fields, messages.common.continue, 'main')}</div><p class="hint">${hint}</p>`
  return { title: fill(title, { app: data.app }), body, script: 'post' }
}
