/**
 * What an app hears that has signed somebody out (SAML 2.0 Profiles §4.4.3.5): at once, or once the browser has told the others
 * that only it can tell. It is ours for that moment, and goes on to the app by itself.
 */
import { minutes } from '#core/clock'
import { randomId } from '#core/random'
import { type Answer, type PageRequest, redirect } from '#http'
import { openingView } from '#pages'
import { canonical, logoutResponse, postFields, redirectUrl, SOAP_HEADERS, signed, soapEnvelope } from '#saml'
import type { EndedSession } from '#sessions'
import type { Received, SamlApp } from './incoming.ts'
import { entityIdOf, PATHS } from './metadata.ts'
import type { SamlRooms } from './rooms.ts'

type Said = readonly ['Success', ...string[]]
type Asker = Pick<Received, 'app' | 'binding' | 'relayState'>

/** What waits while the browser is on its way. */
interface Waiting {
  readonly app: string
  readonly binding: 'redirect' | 'post'
  readonly relayState?: string
  readonly inResponseTo: string
  readonly ended: readonly EndedSession[]
}

/** Where a person sees how far it has come, or is told that they are out. */
export const SIGN_OUT = '/signout'
/** Of a page that goes on after two seconds. */
const ON_ITS_WAY = minutes(2)
/** Of what a page of ours has told or is telling; anything else was not reached, or nobody knows. */
const TOLD: readonly string[] = ['confirmed', 'at-once', 'waiting']

const waitingKey = (id: string): string => `saml-logout-waiting:${id}`

export function createAnswering(rooms: SamlRooms) {
  const { issuer, catalog, clock, presenter, samlKeys, signin, signOuts, storage } = rooms
  const { state } = storage

  async function othersOf(ended: readonly EndedSession[], asker: SamlApp) {
    const states = await Promise.all(ended.map((one) => signOuts.progress(one)))
    return states.flat().filter(({ app }) => app !== asker.id)
  }

  /** Core §3.7.3.2: where not all others are known to be closed. */
  async function saidOf(ended: readonly EndedSession[], asker: SamlApp): Promise<Said> {
    const others = await othersOf(ended, asker)
    return others.every((one) => TOLD.includes(one.state)) ? ['Success'] : ['Success', 'PartialLogout']
  }

  async function answer(
    request: PageRequest,
    { app, binding, relayState }: Asker,
    id: string,
    said: Said,
  ): Promise<Answer> {
    const pair = await samlKeys.signing()
    const head = { id: `_${randomId()}`, issuer: entityIdOf(issuer), at: clock.now() }
    const about = { inResponseTo: id, status: said }
    if (binding === 'soap')
      return {
        status: 200,
        headers: SOAP_HEADERS,
        body: soapEnvelope(await signed(logoutResponse(head, about), pair)),
      }
    const there = answersOf(app, binding)
    // nowhere to answer to: the person is told instead
    if (!there) return redirect(SIGN_OUT)
    const response = logoutResponse({ ...head, destination: there.url }, about)
    if (there.binding === 'redirect')
      return redirect(
        await redirectUrl({ to: there.url, name: 'SAMLResponse', xml: canonical(response), relayState }, pair.key),
      )
    const fields = await postFields('SAMLResponse', response, pair, relayState)
    const view = { app: app.name, action: there.url, fields }
    return presenter.page(request, (messages) => openingView(view, messages), { formTargets: [there.url] })
  }

  return {
    /** `id`: of the app's request, by which these sessions have ended. */
    async give(
      request: PageRequest,
      asker: Asker,
      { id, ended }: { id: string; ended: readonly EndedSession[] },
    ): Promise<Answer> {
      const { app, binding, relayState } = asker
      const others = await othersOf(ended, app)
      if (binding === 'soap' || !others.some((one) => one.state === 'browser'))
        return answer(request, asker, id, await saidOf(ended, app))
      const waiting: Waiting = {
        app: app.id,
        binding,
        ...(relayState === undefined ? {} : { relayState }),
        inResponseTo: id,
        ended,
      }
      // a form of another site came without our cookies, and only these say whether this is the browser of the session
      const key = randomId(24)
      await state.set(waitingKey(key), JSON.stringify(waiting), { ttl: ON_ITS_WAY })
      return redirect(`${PATHS.logout}/${key}`)
    },

    /** The browser comes by, and again once it has told the others. */
    async goOn(request: PageRequest): Promise<Answer> {
      const key = waitingKey(request.params['id'] ?? '')
      if (!request.query.has('on') && (await state.get(key)) !== undefined) {
        const between = await signin.signOut.between(request, `${request.path}?on`)
        if (between) return between
      }
      const text = await state.take(key)
      const waiting: Waiting | undefined = text === undefined ? undefined : JSON.parse(text)
      const app = waiting && (await catalog.apps.find(waiting.app))
      if (!waiting || !app?.saml) return redirect(SIGN_OUT)
      const { binding, relayState, inResponseTo, ended } = waiting
      const asker = { app: app as SamlApp, binding, relayState }
      return answer(request, asker, inResponseTo, await saidOf(ended, asker.app))
    },
  }
}

/** The way it came by, or the other one that a browser can go. */
function answersOf({ saml }: SamlApp, binding: 'redirect' | 'post') {
  const ways = saml.slo.filter((one) => one.binding !== 'soap')
  const found = ways.find((one) => one.binding === binding) ?? ways[0]
  return found && { binding: found.binding, url: found.responseUrl ?? found.url }
}
