/** What apps ask on this person's screen: that something waits, the question, and the answer. */
import { sha256 } from '#core/digest'
import { Refusal } from '#core/refusal'
import { type Answer, type PageRequest, redirect } from '#http'
import { type AnsweredNotice, type AskedData, askedFragment, confirmView } from '#pages'
import type { Visit } from './gate.ts'
import type { AccountOptions, Answerer, AskedOfPeople } from './options.ts'

type Question = Awaited<ReturnType<AskedOfPeople['of']>>[number]

export type Confirming = ReturnType<typeof createConfirming>

const PATH = '/confirmations'
/** INVARIANT: a closed list; what stands in the address chooses a sentence and never is one. */
const ANSWERED: readonly AnsweredNotice[] = ['approved', 'refused', 'disowned']

const pathOf = (id: string): string => `${PATH}/${id}`
const askedOf = (waiting: readonly Question[]): AskedData => ({
  questions: waiting.map(({ id, app, message }) => ({
    ...{ id, app: app.name, href: pathOf(id) },
    ...(message === undefined ? {} : { message }),
  })),
  mark: sha256(waiting.map(({ id }) => id).join()).slice(0, 16),
})
const answererOf = ({ person, session, device, enrolled, startedAt, request }: Visit): Answerer => ({
  ...{ person, session, device, enrolled, startedAt },
  address: request.address,
})

export function createConfirming(options: AccountOptions) {
  const { access, clock, confirmations, devices, people, presenter, sessions } = options

  async function find(visit: Visit): Promise<Question> {
    const id = visit.request.params['id']
    const waiting = (await confirmations?.of(answererOf(visit))) ?? []
    const found = waiting.find((one) => one.id === id)
    // ATTACK: somebody else's question is as over as one that never was
    if (!found) throw new Refusal('confirmation-over', 'nothing waits under this id')
    return found
  }

  async function show(visit: Visit): Promise<Answer> {
    const { id, app, outcome, ...question } = await find(visit)
    const path = pathOf(id)
    const action = visit.on(path)
    // whoever comes back from proving more needs to know that the answer is still to be given
    const proof = outcome === 'challenge' ? 'first' : action === path ? undefined : 'given'
    const view = { ...question, app: app.name, action, back: '/', ...(proof && ({ proof } as const)) }
    return visit.page(confirmView(view, visit.messages), { path })
  }

  return {
    /** For the pages that show that something waits. */
    async asked(visit: Visit): Promise<{ asked?: AskedData }> {
      if (!confirmations) return {}
      return { asked: askedOf(await confirmations.of(answererOf(visit))) }
    },

    answered({ request }: Visit): { answered?: AnsweredNotice } {
      const answered = ANSWERED.find((one) => one === request.query.get('answered'))
      return answered ? { answered } : {}
    },

    /**
     * What waits, for a page that is left open. It is no sign of life: nobody stays signed in by a page that
     * nobody looks at. It tells nothing to whom the pages themselves would not be shown.
     */
    async look(request: PageRequest): Promise<Answer> {
      return askedFragment(await lookedAt(request), presenter.messages(request))
    },

    show,

    async take(visit: Visit): Promise<Answer> {
      const form = await visit.request.form()
      const answer = form.get('step') === 'confirm' ? form.get('answer') : undefined
      const { id } = await find(visit)
      const who = answererOf(visit)
      if (answer === 'deny' || answer === 'disown') {
        const disown = answer === 'disown'
        await confirmations!.refuse(id, who, { disown, reference: visit.request.id })
        return redirect(`/?answered=${disown ? 'disowned' : 'refused'}`)
      }
      if (answer !== 'allow') return show(visit)
      const answered = await confirmations!.approve(id, who)
      switch (answered.kind) {
        case 'approved':
          return redirect('/?answered=approved')
        case 'refused':
          return redirect(`/why/${answered.reference}`)
        case 'prove': {
          const { app, wanted } = answered
          return visit.prove({ kind: 'app', app, ...(wanted ? { wanted } : {}) }, pathOf(id))
        }
      }
    },
  }

  async function lookedAt(request: PageRequest): Promise<AskedData | undefined> {
    const session = confirmations && (await sessions.find(request.cookies.get(sessions.cookieName)))
    if (!session) return undefined
    const device = await devices.find(request.cookies.get(devices.cookieName), session.personId)
    const enrolled = await access.enrolled.byCookies(request.cookies)
    const person = await people.byId(session.personId)
    const seen = { session, device, enrolled, address: request.address, startedAt: clock.now() }
    const verdict = await access.preview({ kind: 'app', policy: 'account', person, ...seen })
    if (verdict.outcome !== 'allow' || !verdict.person) return undefined
    return askedOf(await confirmations.of({ ...seen, person: verdict.person }))
  }
}
