/**
 * Where a device of the organisation is set up. It asks no policy: the code that an administrator made is what lets
 * somebody do it, and nobody has signed in on a device that is new.
 */
import { Refusal } from '#core/refusal'
import { type Answer, type PageRequest, redirect } from '#http'
import { browserName, deviceEnrolledView, enrolDeviceView } from '#pages'
import { DEVICE_COOKIE_AGE, type EnrolledDevice } from '#sessions'
import type { AccountOptions } from './options.ts'

const PATH = '/device'
const ANEW = 'another'

export function createDeviceEnrolment({ devices, sessions, presenter }: AccountOptions) {
  const { enrolled, enrolment, enrolledCookieName } = devices

  /** As which this browser is set up already. */
  const enrolledHere = (request: PageRequest) => enrolled.find(request.cookies.get(enrolledCookieName))

  const nowIn = (device: EnrolledDevice | null) =>
    device && {
      now: {
        id: device.id,
        name: device.name,
        stay: PATH,
        ...(device.site === undefined ? {} : { site: device.site }),
      },
    }

  const ask = (request: PageRequest, device: EnrolledDevice | null, code?: string) => {
    const view = { action: PATH, ...(code === undefined ? {} : { code, given: true }), ...nowIn(device) }
    return presenter.page(request, (messages) => enrolDeviceView(view, messages))
  }

  async function askAgain(
    request: PageRequest,
    code: string,
    { code: refusal, status, retryAfter }: Refusal,
  ): Promise<Answer> {
    const wait = retryAfter === undefined ? {} : { retryAfter }
    const view = { action: PATH, code, refusal, ...wait, ...nowIn(await enrolledHere(request)) }
    return presenter.page(request, (messages) => enrolDeviceView(view, messages), { status, ...wait })
  }

  return {
    /** What this device is; where it is none, the field for a code. */
    async show(request: PageRequest): Promise<Answer> {
      const device = await enrolledHere(request)
      if (!device || request.query.has(ANEW)) return ask(request, device)
      const { kind, name, site } = device
      const data = { kind, name, ...(site === undefined ? {} : { site }), again: `${PATH}?${ANEW}` }
      return presenter.page(request, (messages) => deviceEnrolledView(data, messages))
    },

    /**
     * The link with the code in it. ATTACK: mail scanners and previews open links, so it spends nothing and does not look
     * whether there is such a code: that is told to whoever presses the button, and counted.
     */
    async showGiven(request: PageRequest): Promise<Answer> {
      return ask(request, await enrolledHere(request), request.params['code'])
    },

    async take(request: PageRequest): Promise<Answer> {
      const form = await request.form()
      const code = form.get('code') ?? ''
      const before = await enrolledHere(request)
      // a form from before it was set up, or of another tab: nobody has read there what would be replaced
      if (before && form.get('replace') !== before.id) return ask(request, before, code)
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
