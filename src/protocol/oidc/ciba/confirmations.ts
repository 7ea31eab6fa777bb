/**
 * Answering what an app has asked on another screen: the same question as at every entrance, put when somebody approves, in the
 * session in which they do (CIBA Core 1.0 §8). Pages are not made here.
 */
import type { Provider } from 'oidc-provider'
import type { Access, Question, Wanted } from '#access'
import type { Api, Apis } from '#apis'
import type { Audit } from '#audit'
import type { App, Catalog } from '#catalog'
import { days, type Instant } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Person } from '#directory'
import type { DetailWords, ScopeWords } from '#pages'
import type { Device, Enrolled, Session } from '#sessions'
import { SIGN_IN_SCOPES } from '../account.ts'
import { askApis } from '../api-question.ts'
import { detailsIn, typesOf } from '../asked-details.ts'
import { detailsInWords } from '../authorization-details.ts'
import { scopesInWords } from '../consent-words.ts'
import { type Consents, grantFor, withInIdToken } from '../grants.ts'
import { grantedScopes } from '../resources.ts'
import { keepLimits } from '../token-limits.ts'
import { wantedBy } from '../wanted.ts'
import { type Asked, type AskedRooms, createAskedQuestions } from './asked.ts'

/** Somebody in front of their own screen. */
export interface Answerer {
  readonly person: Person
  readonly session: Session
  readonly device: Device | undefined
  readonly enrolled: Enrolled
  readonly address: string
  /** What `within: 0s` counts from. */
  readonly startedAt: Instant
}

export interface Confirmation {
  readonly id: string
  readonly app: { readonly id: string; readonly name: string }
  /** The name of whoever uses the app, where the app has shown that. */
  readonly asker?: string
  readonly message?: string
  readonly scopes: readonly (string | ScopeWords)[]
  /** Authorization details (RFC 9396), all that they say. */
  readonly details: readonly DetailWords[]
  readonly askedAt: Instant
  readonly until: Instant
  /** What would be said to an approval now. */
  readonly outcome: 'allow' | 'challenge' | 'deny'
}

export type Answered =
  | { readonly kind: 'approved' }
  /** More has to be proved first; nothing was answered yet. */
  | { readonly kind: 'prove'; readonly app: string; readonly wanted?: Wanted }
  /** By policy; the receipt. */
  | { readonly kind: 'refused'; readonly reference: string }

export interface Confirmations {
  /** What waits for them here and now. */
  of(who: Answerer): Promise<readonly Confirmation[]>
  /** @throws Refusal `confirmation-over`, also for what was never asked of them */
  approve(id: string, who: Answerer): Promise<Answered>
  /** `disown`: they know nothing of it, and the app is not heard for a day. `reference`: under which the app hears of it. */
  refuse(id: string, who: Answerer, about: { readonly disown: boolean; readonly reference: string }): Promise<void>
}

export interface ConfirmationRooms extends AskedRooms {
  readonly access: Access
  readonly apis: Pick<Apis, 'all'>
  readonly audit: Audit
  readonly catalog: Catalog
  readonly consents: Consents
  readonly log: Log
  readonly people: AskedRooms['people'] & { byId(id: string): Promise<Person | undefined> }
  engine(): Provider
}

const NOT_HEARD = days(1)
const over = () => new Refusal('confirmation-over', 'nothing waits under this id')

export function createConfirmations(rooms: ConfirmationRooms): Confirmations {
  const { access, audit, catalog, clock, consents, log, people } = rooms
  const questions = createAskedQuestions(rooms)

  async function apisOf({ row }: Asked): Promise<readonly Api[]> {
    const set = await rooms.apis.all()
    return [row.resource ?? []].flat().flatMap((resource) => set.forAudience(resource as string) ?? [])
  }

  async function question({ row }: Asked, who: Answerer) {
    const app = await catalog.apps.find(row.clientId)
    const wanted = wantedBy(row.params)
    const details = typesOf(detailsIn(row.params))
    const asking: Question = { kind: 'app', app, ...who, details, ...(wanted ? { wanted } : {}) }
    return { app, asking }
  }

  async function find(id: string, who: Answerer): Promise<Asked> {
    const found = (await questions.of(who.person)).find((one) => one.id === id)
    if (!found) throw over()
    return found
  }

  async function scopesOf(asked: Asked, app: App) {
    const all = (asked.row.scope ?? '').split(' ')
    const ofApis = (await apisOf(asked)).map((api): [string, string[]] => [
      api.audience,
      (grantedScopes(app, api) ?? []).filter((scope) => all.includes(scope)),
    ])
    const words = await scopesInWords(Object.fromEntries(ofApis), rooms.apis)
    const signIn = all.filter((scope) => SIGN_IN_SCOPES.has(scope) && app.oidc!.scopes.includes(scope))
    return { signIn, all: [...signIn, ...words.keys()], words: [...signIn, ...words.values()] }
  }

  async function show(asked: Asked, who: Answerer): Promise<Confirmation | undefined> {
    const { app, asking } = await question(asked, who)
    if (!app?.oidc) return undefined
    const { outcome, decision } = await access.preview(asking)
    // ATTACK: no app puts itself before people whom it is not for
    if (decision.rule === 'audience') return undefined
    const { row } = asked
    const asker = row.asker === undefined ? undefined : (await people.byId(row.asker))?.name
    const message = row.params?.['binding_message']
    return {
      id: asked.id,
      app: { id: app.id, name: app.name },
      ...(asker === undefined ? {} : { asker }),
      ...(typeof message === 'string' ? { message } : {}),
      scopes: (await scopesOf(asked, app)).words,
      details: await detailsInWords(detailsIn(row.params), rooms.apis),
      askedAt: row.iat * 1000,
      until: row.exp * 1000,
      outcome,
    }
  }

  /** RFC 6749 §5.2: what the app hears at its next poll. */
  const denied = (said: string) => ({ error: 'access_denied', errorDescription: said })

  async function refuseBy(asked: Asked, who: Answerer, reference: string, said: string): Promise<Answered> {
    if (!(await questions.claim(asked))) throw over()
    await questions.settle(asked, denied(`${said}, reference ${reference}`))
    const about = { subject: who.person.id, app: asked.row.clientId, session: who.session.id, reason: asked.id }
    await audit.record('confirmation-refused', { actor: 'system', ...about, receipt: reference })
    return { kind: 'refused', reference }
  }

  /** The grant of the session that approves: it ends with it, as whatever else the app got there. */
  async function grantIn(asked: Asked, app: App, { person, session }: Answerer) {
    const { row } = asked
    const provider = rooms.engine()
    const engineSession = await provider.Session.findByUid(session.id)
    if (!engineSession) throw over()
    const { signIn, all } = await scopesOf(asked, app)
    if (!app.firstParty) {
      await consents.add(person.id, app.id, all)
      await audit.record('consent-given', { actor: person.id, subject: person.id, app: app.id })
    }
    let { claims } = row
    const grant = await grantFor(
      {
        provider,
        session: engineSession,
        clientId: app.id,
        accountId: person.id,
        scopes: new Set(row.scope?.split(' ')),
        signInScopes: signIn,
        details: detailsIn(row.params).length > 0,
        claims: Object.values(row.claims ?? {}).flatMap((of) => Object.keys(of ?? {})),
        addToIdToken(names) {
          claims = withInIdToken(claims, names)
        },
      },
      app,
      consents,
      await apisOf(asked),
    )
    if (!grant?.jti) throw over()
    engineSession.ensureClientContainer(app.id)
    engineSession.grantIdFor(app.id, grant.jti)
    await engineSession.persist()
    return { grantId: grant.jti, sid: engineSession.sidFor(app.id), ...(claims ? { claims } : {}) }
  }

  return {
    async of(who) {
      const shown = new Map<string, Confirmation>()
      const read = await questions.of(who.person, async (asked) => {
        const one = await show(asked, who)
        if (one) shown.set(asked.id, one)
        return one !== undefined
      })
      return read.map(({ id }) => shown.get(id)!)
    },

    async approve(id, who) {
      const asked = await find(id, who)
      const { app, asking } = await question(asked, who)
      if (!app?.oidc) throw over()
      const apis = await askApis(await apisOf(asked), asking, access)
      if (apis.refusal !== undefined) return refuseBy(asked, who, apis.refusal, 'refused by policy')
      const put = { ...asking, opens: true, ...(apis.wanted ? { wanted: apis.wanted } : {}) }
      const verdict = await access.ask(put)
      const { outcome, decision, reference } = verdict
      if (decision.unmet) return refuseBy(asked, who, reference!, 'requested authentication cannot be performed')
      if (outcome === 'challenge') return { kind: 'prove', app: app.id, ...(put.wanted ? { wanted: put.wanted } : {}) }
      if (outcome === 'deny' || verdict.person?.id !== who.person.id)
        return refuseBy(asked, who, reference!, 'refused by policy')

      if (!(await questions.claim(asked))) throw over()
      const { acr, amr, authTime } = verdict
      const answer = {
        accountId: who.person.id,
        ...(await grantIn(asked, app, who)),
        sessionUid: who.session.id,
        expiresWithSession: !asked.row.scope?.split(' ').includes('offline_access'),
        acr,
        amr: [...amr],
        ...(authTime === undefined ? {} : { authTime: Math.floor(authTime / 1000) }),
        rar: detailsIn(asked.row.params),
      }
      keepLimits(answer, { question: put, verdict, apis }, access.policies.current())
      await questions.settle(asked, answer)
      const about = { subject: who.person.id, app: app.id, session: who.session.id, reason: id }
      await audit.record('confirmation-approved', { actor: who.person.id, ...about, receipt: reference })
      return { kind: 'approved' }
    },

    async refuse(id, who, { disown, reference }) {
      const asked = await find(id, who)
      if (!(await questions.claim(asked))) throw over()
      const { clientId: app } = asked.row
      await questions.settle(asked, denied(`declined by the person, reference ${reference}`))
      if (disown) await questions.bar(app, who.person.id, clock.now() + NOT_HEARD)
      const event = disown ? 'confirmation-disowned' : 'confirmation-refused'
      const about = { subject: who.person.id, app, session: who.session.id, reason: id }
      await audit.record(event, { actor: who.person.id, ...about })
      log.info('confirmation-declined', { request: reference, app, question: id })
    },
  }
}
