/** The very first start: one URL, used once within 30 minutes, makes the first administrator. */
import type { Audit } from '#audit'
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
import { ADMINISTRATORS, type People } from '#directory'
import { type PageRequest, type Route, redirect } from '#http'
import { claimView, type Presenter } from '#pages'
import type { Storage } from '#storage'

export interface Claim {
  readonly routes: readonly Route[]
  /** For a server that listens: a start that fails before leaves the one link to the next start. */
  make(): Promise<Made>
}

export interface Made {
  readonly url: string | undefined
  /** Nobody is there, and the one link was made at an earlier start: only the command line can add somebody. */
  readonly tooLate: boolean
}

/** What the directory says about a field, for which there is a sentence of its own. */
const FIELDS = ['username-invalid', 'name-invalid', 'mail-invalid'] as const satisfies readonly RefusalCode[]

const key = (token: string) => `claim:${sha256(token)}`

export function openClaim(options: {
  storage: Storage
  people: People
  audit: Audit
  presenter: Presenter
  issuer: string
}): Claim {
  const { storage, people, audit, presenter, issuer } = options
  // one link for ever: nothing that is lost may bring it back
  const { durable: state } = storage

  const show = (request: PageRequest, token: string, given: Record<string, string> = {}, wrong?: Refusal) =>
    presenter.page(
      request,
      (messages) =>
        claimView({ action: `/claim/${token}`, ...given, ...(wrong ? { refusal: codeOf(wrong) } : {}) }, messages),
      { status: wrong?.status ?? 200 },
    )

  return {
    async make() {
      const nobody = (await people.list({ limit: 1 })).length === 0
      // INVARIANT: of several first starts one makes the claim, and a database that lost its people never makes another
      if (!nobody || !(await state.add('claim-made', 'yes'))) return { url: undefined, tooLate: nobody }
      const token = randomId(32)
      await state.set(key(token), 'open', { ttl: minutes(30) })
      return { url: `${issuer}/claim/${token}`, tooLate: false }
    },
    routes: [
      {
        method: 'GET',
        path: '/claim/:token',
        async handle(request) {
          const given = request.params['token'] ?? ''
          if ((await state.get(key(given))) === undefined) throw new Refusal('claim-used')
          return show(request, given)
        },
      },
      {
        method: 'POST',
        path: '/claim/:token',
        async handle(request) {
          const given = request.params['token'] ?? ''
          const form = await request.form()
          if ((await state.take(key(given))) === undefined) throw new Refusal('claim-used')
          const [username = '', name = '', mail = ''] = ['username', 'name', 'mail'].map((field) =>
            form.get(field)?.trim(),
          )
          const password = form.get('password') ?? ''
          try {
            const person = await people.add(
              { username, name, ...(mail ? { mail } : {}), groups: [ADMINISTRATORS, 'staff'], password },
              'claim',
            )
            await audit.record('administrator-claimed', { actor: person.id, subject: person.id })
            return redirect('/signin?return=/account')
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

const codeOf = ({ code, detail }: Refusal): RefusalCode =>
  (code === 'input-invalid' && FIELDS.find((field) => detail?.startsWith(`${field}:`))) || code
