/** Setting up a device of the organisation: typing its code, and what the device then is. */
import type { Messages } from '../languages/en.ts'
import { html, safeHref } from '../markup.ts'
import { field, form, mainLink, name, problem, submit } from '../parts.ts'
import type { DeviceEnrolledData, EnrolDeviceData, View } from '../views.ts'

export function enrolDeviceView(data: EnrolDeviceData, messages: Messages): View {
  const { title, lead, given, label, submit: yes } = messages.enrolDevice
  const wrong = data.refusal !== undefined
  const body = html`<h1>${title}</h1><p>${data.given ? given : lead}</p>${problem(data, messages)}
${form(
  data,
  'enrol-device',
  html`${field({ name: 'code', label, autocomplete: 'off', kind: 'code', value: data.code, wrong, focus: !data.given, longest: 64 })}${submit(yes)}`,
)}`
  return { title, body, problem: wrong }
}

export function deviceEnrolledView(data: DeviceEnrolledData, messages: Messages): View {
  const t = messages.enrolDevice
  const body = html`<h1>${t.doneTitle}</h1><p>${t.name}: ${name(data.name)}</p>
${data.site !== undefined && html`<p>${t.site}: ${name(data.site)}</p>`}<p>${data.kind === 'shared' ? t.shared : t.personal}</p>
${mainLink({ href: '/', name: messages.common.toApps })}<p class="aside"><a href="${safeHref(data.again)}">${t.again}</a></p>`
  return { title: t.doneTitle, body }
}
