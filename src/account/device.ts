/**
 * Where a device of the organisation is set up. It asks no policy: the code that an administrator made is what lets
 * somebody do it, and nobody has signed in on a device that is new.
 */
import { Refusal } from '#core/refusal'
import { type Answer, type PageRequest, redirect } from '#http'
import { browserName, deviceEnrolledView, enrolDeviceView } from '#pages'
import { DEVICE_COOKIE_AGE } from '#sessions'
import type { AccountOptions } from './options.ts'

const PATH = '/device'
const ANEW = 'another'

export function createDeviceEnrolment({ devices, sessions, presenter }: AccountOptions) {
  const { enrolled, enrolment, enrolledCookieName } = devices

  const ask = (request: PageRequest, code?: string) =>
    presenter.page(request, (messages) =>
      enrolDeviceView({ action: PATH, ...(code === undefined ? {} : { code, given: true }) }, messages),
    )

  function askAgain(request: PageRequest, code: string, { code: refusal, status, retryAfter }: Refusal): Answer {
    const wait = retryAfter === undefined ? {} : { retryAfter }
    const view = { action: PATH, code, refusal, ...wait }
    return presenter.page(request, (messages) => enrolDeviceView(view, messages), { status, ...wait })
  }

  return {
    /** What this device is; where it is none, the field for a code. */
    async show(request: PageRequest): Promise<Answer> {
      const anew = request.query.has(ANEW)
      const device = anew ? null : await enrolled.find(request.cookies.get(enrolledCookieName))
      if (!device) return ask(request)
      const { kind, name, site } = device
      const data = { kind, name, ...(site === undefined ? {} : { site }), again: `${PATH}?${ANEW}` }
      return presenter.page(request, (messages) => deviceEnrolledView(data, messages))
    },

    /**
     * The link with the code in it. ATTACK: mail scanners and previews open links, so it spends nothing and looks at
     * nothing: whether there is such a code is told to whoever presses the button, and counted.
     */
    showGiven: (request: PageRequest): Answer => ask(request, request.params['code']),

    async take(request: PageRequest): Promise<Answer> {
      const code = (await request.form()).get('code') ?? ''
      try {
        const { cookie, device } = await enrolment.redeem(code, {
          address: request.address,
          label: browserName(presenter.messages(request), request.headers['user-agent']) ?? '',
          enrolledCookie: request.cookies.get(enrolledCookieName),
          deviceCookie: request.cookies.get(devices.cookieName),
        })
        // whoever is signed in here already is so on this device from now on
        const session = await sessions.find(request.cookies.get(sessions.cookieName))
        if (session)
          await sessions.touch(session, { deviceId: session.deviceId, enrolled: device, address: request.address })
        return redirect(PATH, [{ name: enrolledCookieName, value: cookie, maxAge: DEVICE_COOKIE_AGE }])
      } catch (error) {
        if (!(error instanceof Refusal) || !['device-code-invalid', 'throttled'].includes(error.code)) throw error
        return askAgain(request, code, error)
      }
    },
  }
}
