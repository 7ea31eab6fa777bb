/** The account page: ways to sign in, sessions, devices, apps with access. */
import type { Refusal } from '#core/refusal'
import { type EnrolledFactor, MOST_PASSKEYS, MOST_TOTPS } from '#factors'
import type { Answer } from '#http'
import { type AccountData, accountView, browserName } from '#pages'
import type { Confirming } from './confirming.ts'
import { NOTICES, type Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'

export interface Overview {
  show(visit: Visit, refusal?: Refusal): Promise<Answer>
}

export function createOverview(options: AccountOptions, { asked }: Pick<Confirming, 'asked'>): Overview {
  const { catalog, consents, devices, factors, people, sessions } = options

  async function factorsOf(visit: Visit): Promise<Pick<AccountData, 'factors' | 'actions'>> {
    const { person, on } = visit
    const enrolled = await factors.enrolled(person.id)
    const count = (kind: EnrolledFactor['kind']) => enrolled.filter((one) => one.kind === kind).length
    // without a password the last passkey is the only way in
    const stays = ({ kind }: EnrolledFactor) =>
      kind === 'password' || (kind === 'passkey' && count('passkey') === 1 && count('password') === 0)
    return {
      factors: enrolled.map(({ label, ...one }) => ({
        ...one,
        // the others are named by their kind, in the person's language
        ...(one.kind === 'passkey' ? { label } : {}),
        ...(stays({ label, ...one }) ? {} : { remove: on(`/account/factors/${one.id}/remove`) }),
      })),
      actions: {
        ...(count('passkey') < MOST_PASSKEYS ? { addPasskey: on('/account/passkeys/new') } : {}),
        ...(count('totp') < MOST_TOTPS ? { addTotp: on('/account/totp/new') } : {}),
        makeRecoveryCodes: on('/account/recovery-codes/new'),
        ...(people.changesPassword(person.directory) ? { changePassword: on('/account/password') } : {}),
        endOtherSessions: on('/account/sessions/end-others'),
        endAllSessions: on('/account/sessions/end-all'),
      },
    }
  }

  async function sessionsOf({ person, session, messages, on }: Visit): Promise<AccountData['sessions']> {
    const all = await sessions.ofPerson(person.id)
    return all.map(({ id, startedAt, lastSeenAt, address, userAgent }) => {
      const browser = browserName(messages, userAgent)
      const way = id === session.id ? { current: true, end: '/signout' } : { end: on(`/account/sessions/${id}/end`) }
      return { id, startedAt, lastSeenAt, address, ...(browser ? { browser } : {}), ...way }
    })
  }

  async function devicesOf({ person, device, messages, on }: Visit): Promise<AccountData['devices']> {
    return (await devices.ofPerson(person.id)).map((one) => {
      const trustedUntil = devices.trustedUntil(one, person.id)
      return {
        id: one.id,
        label: one.label || messages.account.unknownBrowser,
        lastSeenAt: one.lastSeenAt,
        ...(trustedUntil === undefined ? {} : { trustedUntil }),
        ...(one.id === device?.id ? { current: true } : {}),
        forget: on(`/account/devices/${one.id}/forget`),
      }
    })
  }

  async function consentsOf({ person, on }: Visit): Promise<AccountData['consents'] & {}> {
    const agreed = (await consents?.ofPerson(person.id)) ?? []
    return Promise.all(
      agreed.map(async ({ app, scopes }) => ({
        app: (await catalog.apps.find(app))?.name ?? app,
        scopes,
        withdraw: on(`/account/consents/${encodeURIComponent(app)}/withdraw`),
      })),
    )
  }

  return {
    async show(visit, refusal) {
      const { person, messages, request } = visit
      const told = refusal ? undefined : NOTICES.find((code) => code === request.query.get('done'))
      const data: AccountData = {
        name: person.name,
        username: person.username,
        ...(person.organisation === undefined ? {} : { organisation: person.organisation }),
        ...(told ? { notice: told } : {}),
        ...(refusal ? { refusal: refusal.code } : {}),
        ...(await factorsOf(visit)),
        sessions: await sessionsOf(visit),
        devices: await devicesOf(visit),
        consents: await consentsOf(visit),
        ...(await asked(visit)),
      }
      // after a form went wrong the page stands at an address that has no GET of its own
      const where = refusal ? { status: refusal.status, path: '/account' } : {}
      return visit.page(accountView(data, messages), { current: 'account', ...where })
    },
  }
}
