/** The very first start: one URL, used once within 30 minutes, makes the first administrator. */
import type { Audit } from '#audit'
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { ADMINISTRATORS, type People } from '#directory'
import { type PageRequest, type Route, redirect } from '#http'
import { claimView, type Presenter } from '#pages'
import type { Storage } from '#storage'

export interface Claim {
  readonly url: string | undefined
  readonly routes: readonly Route[]
}

const key = (token: string) => `claim:${sha256(token)}`

export async function openClaim(options: {
  storage: Storage
  people: People
  audit: Audit
  presenter: Presenter
  issuer: string
}): Promise<Claim> {
  const { storage, people, audit, presenter, issuer } = options
  const { state } = storage
  let token: string | undefined
  // INVARIANT: of several first starts one makes the claim, and a database that lost its people never makes another
  if ((await people.list({ limit: 1 })).length === 0 && (await state.add('claim-made', 'yes'))) {
    token = randomId(32)
    await state.set(key(token), 'open', { ttl: minutes(30) })
  }

  const show = (request: PageRequest, token: string, given: Record<string, string> = {}, refusal?: Refusal) =>
    presenter.page(
      request,
      (messages) =>
        claimView({ action: `/claim/${token}`, ...given, ...(refusal ? { refusal: refusal.code } : {}) }, messages),
      { status: refusal?.status ?? 200 },
    )

  return {
    url: token && `${issuer}/claim/${token}`,
    routes: [
      {
        method: 'GET',
        path: '/claim/:token',
        async handle(request) {
          const given = request.params['token'] ?? ''
          if ((await state.get(key(given))) === undefined) throw new Refusal('not-found')
          return show(request, given)
        },
      },
      {
        method: 'POST',
        path: '/claim/:token',
        async handle(request) {
          const given = request.params['token'] ?? ''
          const form = await request.form()
          if ((await state.take(key(given))) === undefined) throw new Refusal('not-found')
          const [username = '', name = '', mail = '', password = ''] = ['username', 'name', 'mail', 'password'].map(
            (field) => form.get(field)?.trim(),
          )
          try {
            const person = await people.add(
              { username, name, ...(mail ? { mail } : {}), groups: [ADMINISTRATORS, 'staff'], password },
              'claim',
            )
            await audit.record('administrator-claimed', { actor: person.id, subject: person.id })
            return redirect('/account')
          } catch (error) {
            if (!(error instanceof Refusal)) throw error
            // what was typed can be mended: the claim is open again
            await state.set(key(given), 'open', { ttl: minutes(30) })
            return show(request, given, { username, name, mail }, error)
          }
        },
      },
    ],
  }
}
