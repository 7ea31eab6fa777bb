/** Adding a way to sign in: a passkey, an authenticator app, recovery codes. */
import { Refusal } from '#core/refusal'
import type { FactorKind } from '#factors'
import type { Answer, PageRequest } from '#http'
import {
  browserName,
  enrolChoiceView,
  enrolPasskeyView,
  enrolTotpView,
  type Messages,
  type Notice,
  recoveryCodesView,
  type Step,
  type View,
} from '#pages'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'
import type { Overview } from './overview.ts'

/** What the two ceremonies differ in. */
interface Ceremony {
  readonly kind: FactorKind
  readonly path: string
  /** The step that the view's form posts; a button of the account page posts none. */
  readonly step: string
  readonly done: Notice
  view(around: Step & { readonly back: string }, options: unknown, messages: Messages): View
  answer(form: ReadonlyMap<string, string>): unknown
}

const PASSKEY: Ceremony = {
  kind: 'passkey',
  path: '/account/passkeys/new',
  step: 'enrol-passkey',
  done: 'passkey-added',
  view: (around, options, messages) => enrolPasskeyView({ ...around, options }, messages),
  answer(form) {
    try {
      return JSON.parse(form.get('credential') ?? '')
    } catch {
      throw new Refusal('passkey-invalid', 'credential is not json')
    }
  },
}

const TOTP: Ceremony = {
  kind: 'totp',
  path: '/account/totp/new',
  step: 'enrol-totp',
  done: 'totp-added',
  view: (around, options, messages) =>
    enrolTotpView({ ...around, ...(options as { secret: string; uri: string; qrSvg?: string }) }, messages),
  answer: (form) => fieldOf(form, 'code', 64),
}

const CODES = '/account/recovery-codes/new'

/** A field of a form; a missing or overlong one is empty. */
export const fieldOf = (form: ReadonlyMap<string, string>, name: string, longest: number): string => {
  const value = form.get(name) ?? ''
  return value.length > longest ? '' : value
}

/** Ceremonies of the account page belong to the session, so that none begun in another one can be finished here. */
export const conversationOf = ({ session }: Visit): string => `account:${session.id}`

/** What the person can mend; the rest is not theirs to read. */
export const mendable = (error: unknown): error is Refusal => error instanceof Refusal && error.status < 500

export function createEnrolment({ factors }: AccountOptions, overview: Overview) {
  const who = (visit: Visit) => ({ personId: visit.person.id, conversation: conversationOf(visit) })

  async function begin(visit: Visit, ceremony: Ceremony, wrong?: Refusal): Promise<Answer> {
    const { person, messages } = visit
    let options: unknown
    try {
      const { username, name } = person
      options = await factors.beginEnrolment(ceremony.kind, { ...who(visit), username, name })
    } catch (error) {
      if (!mendable(error)) throw error
      return overview.show(visit, error)
    }
    const around = { action: visit.on(ceremony.path), back: '/account', ...(wrong ? { refusal: wrong.code } : {}) }
    return visit.page(ceremony.view(around, options, messages), {
      current: 'account',
      ...(wrong ? { status: wrong.status } : {}),
    })
  }

  async function finish(visit: Visit, ceremony: Ceremony): Promise<Answer> {
    const { request, messages } = visit
    const form = await request.form()
    if (form.get('step') !== ceremony.step) return begin(visit, ceremony)
    const label = ceremony.kind === 'passkey' ? browserOf(request, messages) : undefined
    try {
      await factors.finishEnrolment(ceremony.kind, ceremony.answer(form), { ...who(visit), label })
    } catch (error) {
      if (!mendable(error)) throw error
      return begin(visit, ceremony, error)
    }
    // adding a factor is no sign-in with it: the next risky app still asks for it
    return visit.done(ceremony.done)
  }

  const formOf = (ceremony: Ceremony) => ({
    show: (visit: Visit) => begin(visit, ceremony),
    take: (visit: Visit) => finish(visit, ceremony),
  })

  return {
    passkey: formOf(PASSKEY),
    totp: formOf(TOTP),
    recoveryCodes: {
      /** Asks once more: a GET changes nothing, wherever the link to it stood. */
      async show(visit: Visit): Promise<Answer> {
        const ways = [{ way: 'recovery-code', kind: 'recovery-code' as const }]
        return visit.page(enrolChoiceView({ action: visit.on(CODES), ways }, visit.messages), { current: 'account' })
      },
      async take(visit: Visit): Promise<Answer> {
        const { codes = [] } = await factors.finishEnrolment('recovery-code', undefined, who(visit))
        return visit.page(
          recoveryCodesView({ action: visit.on('/account/recovery-codes/stored'), codes }, visit.messages),
          {
            current: 'account',
          },
        )
      },
    },
    stored: (visit: Visit): Promise<Answer> => visit.done('recovery-codes-made'),
  }
}

const browserOf = ({ headers }: PageRequest, messages: Messages) => browserName(messages, headers['user-agent'])
