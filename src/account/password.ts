/** Changing the password. Whoever knew the old one is signed out everywhere else. */
import { Refusal } from '#core/refusal'
import { PasswordToRenew, type Proof } from '#factors'
import type { Answer } from '#http'
import { changePasswordView } from '#pages'
import { conversationOf, fieldOf, mendable } from './enrolment.ts'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'

const PATH = '/account/password'
/** More than any password may have: the directory says what is too long. */
const LONGEST = 1024

/** Somebody who has to change it is in the right place. */
function unlessToRenew(error: unknown): undefined {
  if (!(error instanceof PasswordToRenew)) throw error
}

export function createPasswordChange({ factors, people, revoke, sessions }: AccountOptions) {
  /** @throws Refusal `directory-read-only` for people whose password is kept elsewhere */
  async function hasPassword({ person }: Visit): Promise<boolean> {
    if (!people.changesPassword(person.directory)) throw new Refusal('directory-read-only', 'password')
    return people.hasPassword(person.id)
  }

  async function show(visit: Visit, wrong?: Refusal): Promise<Answer> {
    const current = await hasPassword(visit)
    const retry = wrong?.retryAfter === undefined ? {} : { retryAfter: wrong.retryAfter }
    const view = changePasswordView(
      {
        action: visit.on(PATH),
        back: '/account',
        username: visit.person.username,
        current,
        ...(wrong ? { refusal: wrong.code } : {}),
        ...retry,
      },
      visit.messages,
    )
    return visit.page(view, { current: 'account', ...(wrong ? { status: wrong.status } : {}), ...retry })
  }

  /** Checks the current one and sets the new one. Answers the proof that was given, where there was one to give. */
  async function change(visit: Visit, form: ReadonlyMap<string, string>): Promise<Proof | undefined> {
    const { device, person, request } = visit
    const passwords = { current: fieldOf(form, 'current', LONGEST), next: fieldOf(form, 'password', LONGEST) }
    // through the factors room, so that guesses here count with all others
    const prove = (password: string) =>
      factors.verify('password', password, {
        personId: person.id,
        username: person.username,
        address: request.address,
        knownDevice: device !== undefined,
        conversation: conversationOf(visit),
      })
    const had = await hasPassword(visit)
    const before = had && (await prove(passwords.current).catch(unlessToRenew))
    await people.changePassword(person.id, passwords)
    if (before) return before.proof
    // one that had to be changed proves nothing; the new one does
    return had ? (await prove(passwords.next)).proof : undefined
  }

  return {
    show: (visit: Visit) => show(visit),

    async take(visit: Visit): Promise<Answer> {
      const { person, request, session } = visit
      const form = await request.form()
      if (form.get('step') !== 'change-password') return show(visit)
      let proof: Proof | undefined
      try {
        proof = await change(visit, form)
      } catch (error) {
        if (!mendable(error) || error.code === 'directory-read-only') throw error
        return show(visit, error)
      }
      await sessions.endAll(person.id, 'password-changed', person.id, session.id)
      // ATTACK: an app opened with the old password may have got a token that outlives its session
      await revoke?.(person.id)
      if (!proof) return visit.done('password-changed')
      // a copy of this session's own cookie dies as well
      const raised = await sessions.raise(session, [proof])
      return visit.done('password-changed', [{ name: sessions.cookieName, value: raised.cookie }])
    },
  }
}
