/** Setting up a device of the organisation: typing its code, and what the device then is. */
import type { Messages } from '../languages/en.ts'
import { html, safeHref } from '../markup.ts'
import { field, form, mainLink, name, problem, submit } from '../parts.ts'
import type { DeviceEnrolledData, EnrolDeviceData, View } from '../views.ts'

export function enrolDeviceView(data: EnrolDeviceData, messages: Messages): View {
  const { title, lead, given, label, submit: yes } = messages.enrolDevice
  const wrong = data.refusal !== undefined
  const body = html`<h1>${title}</h1>${data.now && already(data.now, messages)}<p>${data.given ? given : lead}</p>${problem(data, messages)}
${form(
  { ...data, ...(data.now ? { hidden: { ...data.hidden, replace: data.now.id } } : {}) },
  'enrol-device',
  html`${field({ name: 'code', label, autocomplete: 'off', kind: 'code', value: data.code, wrong, focus: !data.given, longest: 64 })}${submit(yes)}`,
)}${data.now && html`<p class="aside"><a href="${safeHref(data.now.stay)}">${messages.enrolDevice.stay}</a></p>`}`
  return { title, body, problem: wrong }
}

/** Whoever has the wrong tablet in hand reads it here, before it is another one. */
const already = (now: NonNullable<EnrolDeviceData['now']>, { enrolDevice: t }: Messages) =>
  html`<p class="who"><span>${t.already} ${name(now.name)}${now.site !== undefined && html`, ${t.site}: ${name(now.site)}`}</span></p><p>${t.replaces}</p>`

export function deviceEnrolledView(data: DeviceEnrolledData, messages: Messages): View {
  const t = messages.enrolDevice
  const body = html`<h1>${t.doneTitle}</h1><p>${t.name}: ${name(data.name)}</p>
${data.site !== undefined && html`<p>${t.site}: ${name(data.site)}</p>`}<p>${data.kind === 'shared' ? t.shared : t.personal}</p>
${mainLink({ href: '/', name: messages.common.toApps })}<p class="aside"><a href="${safeHref(data.again)}">${t.again}</a></p>`
  return { title: t.doneTitle, body }
}
