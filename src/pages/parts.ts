/** The pieces views are made of: forms, fields, buttons, the problem box, small pictures. */
import type { Messages } from './languages/en.ts'
import { html, type Markup, nothing, type Slot, safeHref, trusted } from './markup.ts'
import type { Form, Link, Remember, Step, Who } from './views.ts'
import {
  type DetailWords,
  detailLine,
  fill,
  inSeconds,
  lengthOfTime,
  phrase,
  refusalSentence,
  type ScopeWords,
  scopeName,
} from './words.ts'

/** Where the problem box stands, so that a field can point at it (`aria-describedby`). */
const PROBLEM = 'problem'

export const hiddenFields = (fields: Readonly<Record<string, string>> = {}): Markup =>
  html`${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}`

/** A POST form with its `step` field. `attributes` is markup of ours. */
export const form = (data: Form, step: string, content: Slot, attributes: Markup = nothing): Markup =>
  html`<form method="post" action="${safeHref(data.action)}" ${attributes}><input type="hidden" name="step" value="${data.step ?? step}">${hiddenFields(data.hidden)}${content}</form>`

/** A one-button form without a step, for rows and lists. */
export const buttonForm = (
  action: string,
  hidden: Readonly<Record<string, string>> | undefined,
  label: Slot,
  look: 'plain' | 'main' | 'danger',
): Markup =>
  html`<form method="post" action="${safeHref(action)}">${hiddenFields(hidden)}<button class="${look}">${label}</button></form>`

export interface Field {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'password' | 'email'
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly hint?: string
  /** Told to read the problem box together with this field. */
  readonly wrong?: boolean
  readonly focus?: boolean
  readonly optional?: boolean
  /** `code`: wide letters, digits on the keyboard. `word`: letters as typed. */
  readonly kind?: 'digits' | 'code' | 'word'
  readonly longest?: number
  /** Labels of the button that shows what was typed. */
  readonly reveal?: { readonly show: string; readonly hide: string }
}

export function field(given: Field): Markup {
  const id = `field-${given.name.replaceAll('_', '-')}`
  const describedBy = [given.wrong && PROBLEM, given.hint && `${id}-hint`].filter(Boolean).join(' ')
  // what a person types as name or code must come through unchanged: no capitals, no spelling
  const asTyped = html`autocapitalize="${given.kind === 'code' ? 'characters' : 'none'}" spellcheck="false" autocorrect="off"`
  return html`<div class="field"><label for="${id}">${given.label}</label>
${given.hint && html`<p class="hint" id="${id}-hint">${given.hint}</p>`}
<div class="input"><input id="${id}" name="${given.name}" type="${given.type ?? 'text'}" autocomplete="${given.autocomplete}" ${asTyped}
${given.kind === 'digits' && trusted('inputmode="numeric" class="code"')} ${given.kind === 'code' && trusted('class="code"')}
${given.value !== undefined && html`value="${given.value}"`} ${given.longest !== undefined && html`maxlength="${given.longest}"`}
${!given.optional && trusted('required')} ${given.focus && trusted('autofocus')}
${given.wrong && trusted('aria-invalid="true"')} ${describedBy && html`aria-describedby="${describedBy}"`}>${
    given.reveal &&
    html`<button type="button" class="plain" hidden data-reveal="${id}" data-hide="${given.reveal.hide}" aria-controls="${id}">${given.reveal.show}</button>`
  }</div></div>`
}

export const submit = (label: string): Markup => html`<button class="main">${label}</button>`

/** Says what went wrong, first thing on the page; read out at once. */
export function problem(data: Pick<Step, 'refusal' | 'retryAfter' | 'reference'>, messages: Messages): Markup {
  if (!data.refusal) return nothing
  const when = data.retryAfter === undefined ? undefined : inSeconds(messages.language, data.retryAfter)
  return html`<div class="problem" id="${PROBLEM}" role="alert">${mark('alert')}<p>${refusalSentence(messages, data.refusal)}${
    when !== undefined && html` ${fill(messages.common.tryAgainWhen, { when })}`
  }</p></div>${reference(data.reference, messages)}`
}

/** A line for the browser's script to speak through; empty, so nothing is announced before. */
export const statusLine = (): Markup => html`<p class="status" role="status" data-status></p>`

/** Heading, and the line that says where the person is going. */
export const heading = (title: Slot, data: { app?: string }, messages: Messages): Markup =>
  html`<h1>${title}</h1>${data.app !== undefined && html`<p class="way">${phrase(messages.common.onTheWay, { app: name(data.app) })}</p>`}`

/** A name from outside, kept apart from the direction of the text around it. */
export const name = (text: string): Markup => html`<strong><bdi>${text}</bdi></strong>`

/** Whose proof is asked for, and the way out for somebody else. */
export const who = (data: Partial<Who>, messages: Messages): Markup =>
  data.username === undefined
    ? nothing
    : html`<p class="who"><span>${phrase(messages.common.signingInAs, { username: name(data.username) })}</span> ${
        data.notYou !== undefined && html`<a href="${safeHref(data.notYou)}">${messages.common.notYou}</a>`
      }</p>`

/** What stands below a step's form: where help is to be had once a try did not work, another way, and why it is asked. */
export const around = (data: Step, messages: Messages): Markup =>
  html`${data.refusal !== undefined && support(data.support)}${
    data.otherWay !== undefined &&
    html`<p class="aside"><a href="${safeHref(data.otherWay)}">${messages.common.otherWay}</a></p>`
  }${why(data, messages)}`

/** What is allowed by a yes, line by line. */
export const scopeList = (
  scopes: readonly (string | ScopeWords)[],
  messages: Messages,
  details: readonly DetailWords[] = [],
): Markup => {
  const lines = [...details.map((one) => detailLine(messages, one)), ...scopes.map((one) => scopeName(messages, one))]
  return html`<ul class="scopes">${lines.map((line) => html`<li>${mark('done')}<span>${line}</span></li>`)}</ul>`
}

/** The operator's own sentence on where to get help, below what matters more. */
export const support = (sentence: string | undefined): Markup =>
  sentence === undefined ? nothing : html`<p class="hint" dir="auto">${sentence}</p>`

export const why = (data: Step, messages: Messages): Markup =>
  data.why === undefined
    ? nothing
    : html`<details><summary>${messages.common.why}</summary><p>${data.why}</p></details>`

export const remember = (offer: Remember | undefined, messages: Messages): Markup =>
  offer === undefined
    ? nothing
    : html`<div class="tick"><input type="checkbox" id="remember" name="remember" value="yes" aria-describedby="remember-hint" ${offer.ticked && trusted('checked')}>
<label for="remember">${fill(messages.common.remember, { days: lengthOfTime(messages.language, offer.days * 86_400) })}</label>
<p class="hint" id="remember-hint">${messages.common.rememberHint}</p></div>`

export const backLink = (href: string | undefined, messages: Messages): Markup =>
  href === undefined ? nothing : html`<p class="aside"><a href="${safeHref(href)}">${messages.common.back}</a></p>`

/** A link that is the page's main way on. */
export const mainLink = (link: Link): Markup =>
  html`<p><a class="main" href="${safeHref(link.href)}">${link.name}</a></p>`

/** A reference that can be read out over the telephone. */
export const reference = (text: string | undefined, messages: Messages): Markup =>
  text === undefined
    ? nothing
    : html`<div class="reference"><p>${messages.common.reference}</p><p class="letters" translate="no">${text}</p><p class="hint">${messages.common.referenceHint}</p></div>`

/** The browser's part of a passkey: what is asked, and what is said when nothing comes back. */
export const passkeyAttributes = (
  ceremony: 'get' | 'create',
  options: unknown,
  says: { cancelled: string; failed: string; exists?: string },
  conditional = false,
): Markup =>
  html`hidden data-passkey="${ceremony}" data-options="${JSON.stringify(options ?? {})}" data-cancelled="${says.cancelled}" data-failed="${says.failed}" ${
    says.exists !== undefined && html`data-exists="${says.exists}"`
  } ${conditional && trusted('data-conditional')}`

/** For browsers that cannot: shown until the script has found out that this one can. */
export const withoutPasskey = (messages: Messages): Markup =>
  html`<p class="problem" data-without-passkey>${mark('alert')}<span>${messages.common.needsScript}</span></p>`

const DRAWINGS = Object.freeze({
  alert: '<path d="M10 3 2.5 16.5h15z"/><path d="M10 8v4M10 14.2v.1"/>',
  lock: '<rect x="4.5" y="9" width="11" height="8"/><path d="M7 9V6.5a3 3 0 0 1 6 0V9"/>',
  done: '<path d="m4 10.5 4 4 8-9"/>',
  passkey: '<circle cx="7" cy="7" r="3.5"/><path d="m9.5 9.5 7 7M13 13l2-2"/>',
  totp: '<rect x="5.5" y="2.5" width="9" height="15" rx="1.5"/><path d="M8 8h4M8 11h4"/>',
  password:
    '<path d="M3 13h14M5 8v3M3.7 8.8l2.6 1.4M6.3 8.8 3.7 10.2M10 8v3M8.7 8.8l2.6 1.4M11.3 8.8l-2.6 1.4M15 8v3M13.7 8.8l2.6 1.4M16.3 8.8l-2.6 1.4"/>',
  'recovery-code': '<path d="M5 2.5h10v15H5z"/><path d="M8 6.5h4M8 10h4M8 13.5h4"/>',
})

/** A small line drawing beside text that says the same. */
export const mark = (drawing: keyof typeof DRAWINGS): Markup =>
  trusted(`<svg class="mark" viewBox="0 0 20 20" aria-hidden="true" focusable="false">${DRAWINGS[drawing]}</svg>`)
