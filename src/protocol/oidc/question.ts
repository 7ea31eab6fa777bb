/**
 * The engine's interaction policy: every authorization request is one question. Where the verdict is not "allow", the
 * engine starts an interaction, which becomes an errand of the conversation.
 */
import type { IncomingMessage } from 'node:http'
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import type { Access, Question, Verdict } from '#access'
import type { Apis } from '#apis'
import type { App, Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { People, Person } from '#directory'
import type { KnownAccount } from './account.ts'
import { asksForDetails, asksForDocument } from './agreement.ts'
import { type ApiAnswer, askApis, NOTHING_OF_APIS, requestedApis } from './api-question.ts'
import { askedDetails, typesOf } from './asked-details.ts'
import type { Bridge, Visitor } from './bridge.ts'
import { wantedBy } from './wanted.ts'

export interface QuestionRooms {
  readonly access: Access
  readonly catalog: Catalog
  readonly apis: Pick<Apis, 'all'>
  readonly clock: Clock
  readonly bridge: Bridge
  readonly people: Pick<People, 'merging'>
}

export interface Asked {
  readonly question: Question
  readonly verdict: Verdict
  /** What the policies of the APIs say that the request names. */
  readonly apis: ApiAnswer
}

/** The conversation's outcome as the engine keeps it: in which session a factor was given, on an errand begun when. */
export type Proved = {
  readonly accountId: string
  readonly session?: string
  readonly since?: number
}

/** The engine's own check that stays. */
const KEPT = new Set(['login_prompt'])
/** Why somebody is asked: the request names another person than the one signed in. */
export const ANOTHER_PERSON = 'another_person'

export function createQuestioning({ access, apis, catalog, clock, bridge, people }: QuestionRooms) {
  const asked = new WeakMap<IncomingMessage, Promise<Asked>>()

  function once(request: IncomingMessage, put: () => Promise<Asked>): Promise<Asked> {
    let answer = asked.get(request)
    if (!answer) {
      answer = put()
      asked.set(request, answer)
    }
    return answer
  }

  /** Asked once per request, whatever looks at the verdict. */
  async function ask(ctx: KoaContextWithOIDC): Promise<Asked> {
    const answer = await once(ctx.req, () => put(ctx))
    const { verdict } = answer
    const { session } = ctx.oidc
    if (verdict.outcome === 'allow' && session) {
      session.acr = verdict.acr
      session.amr = [...verdict.amr]
      if (verdict.authTime !== undefined) session.loginTs = Math.floor(verdict.authTime / 1000)
    }
    return answer
  }

  /**
   * About a request of somebody signed in that is new, names no API and wants nothing beyond its app's rules. Where the engine
   * looks at the same request afterwards, it finds this answer.
   */
  const askPlainly = (
    request: IncomingMessage,
    { app, person, visitor }: { app: App; person: Person; visitor: Visitor },
  ): Promise<Asked> =>
    once(request, async () => {
      const { session, device, enrolled, address } = visitor
      const question: Question = {
        ...{ kind: 'app', app, session, person, device, enrolled, address },
        ...{ startedAt: clock.now(), opens: true, details: [] },
      }
      return { question, verdict: await access.ask(question), apis: NOTHING_OF_APIS }
    })

  async function put(ctx: KoaContextWithOIDC): Promise<Asked> {
    const { oidc } = ctx
    const { session, device, enrolled, address } = bridge.visitorOf(ctx.req)!
    const app = await catalog.apps.find(oidc.client!.clientId)
    // what was given on the way here was given for this very request (`open.ts`, takeOutcome)
    const proved = oidc.result?.['login'] as Proved | undefined
    const begun = session && proved?.session === session.id ? proved.since : undefined
    const wanted = wantedBy(oidc.params, oidc.prompts.has('login'))
    const person = (oidc.account as KnownAccount | undefined)?.person
    const asking: Question = {
      kind: 'app',
      app,
      session: oidc.session?.accountId === session?.personId ? session : undefined,
      ...(person && person.id === session?.personId ? { person } : {}),
      device,
      enrolled,
      address,
      startedAt: begun ?? clock.now(),
      // before somebody agreed, the same opening was counted already
      opens: oidc.result?.['consent'] === undefined,
      ...(wanted ? { wanted } : {}),
      details: typesOf(askedDetails(ctx)),
    }
    const named = await requestedApis(ctx, apis)
    const answered = await askApis(named, asking, access)
    if (answered.refusal !== undefined)
      throw new errors.AccessDenied(`refused by policy, reference ${answered.refusal}`)
    const question = answered.wanted ? { ...asking, wanted: answered.wanted } : asking
    return { question, verdict: await access.ask(question), apis: answered }
  }

  function policy(): interactionPolicy.DefaultPolicy {
    const prompts = interactionPolicy.base()
    const login = prompts.get('login')!
    for (const check of [...login.checks]) if (!KEPT.has(check.reason)) login.checks.remove(check.reason)
    const { Check } = interactionPolicy
    const check = (reason: string, error: string, description: string, applies: (asked: Asked) => boolean) =>
      new Check(reason, description, error, async (ctx) => {
        const answer = await ask(ctx)
        if (answer.verdict.decision.unmet)
          throw new errors.UnmetAuthenticationRequirements('requested authentication cannot be performed')
        return applies(answer)
      })
    login.checks.add(
      new Check(ANOTHER_PERSON, 'the request is about another person', 'login_required', namesAnother(people)),
    )
    login.checks.add(
      check('refused', 'access_denied', 'access is refused by policy', ({ verdict }) => verdict.outcome === 'deny'),
    )
    login.checks.add(
      check(
        'no_session',
        'login_required',
        'End-User authentication is required',
        ({ question, verdict }) => verdict.outcome === 'challenge' && !question.session,
      ),
    )
    login.checks.add(
      check(
        'step_up',
        'interaction_required',
        'stronger or fresher authentication is required',
        ({ question, verdict }) => verdict.outcome === 'challenge' && !!question.session,
      ),
    )
    // the engine's own asks an app that has a scheme of its own at its web addresses too
    const { checks } = prompts.get('consent')!
    checks.remove('native_client_prompt')
    checks.remove('rar_prompt')
    checks.add(
      new Check('own_scheme', 'any program can take the scheme of the app', 'interaction_required', toOwnScheme),
    )
    checks.add(
      new Check('details', 'authorization details were requested', 'consent_required', asksForDetails(catalog)),
    )
    checks.add(new Check('document', 'nobody registered the client', 'consent_required', asksForDocument(catalog)))
    return prompts
  }

  return { ask, askPlainly, policy }
}

/** ATTACK: another program on the device has taken the scheme, and asks unseen (RFC 8252 §8.6). */
const toOwnScheme = ({ oidc }: KoaContextWithOIDC): boolean =>
  /^(?!https?:)/.test(String(oidc.params?.['redirect_uri'] ?? 'https:')) && oidc.result?.['consent'] === undefined

/**
 * True when the request names another person than the one signed in (OIDC Core §3.1.2.1 id_token_hint, §5.5.1 sub).
 * ATTACK: the engine forgets the hint on the way through a conversation, and asks in circles for a `sub`. Whoever was
 * asked and is still somebody else gets no code: the app would take them for the person that it named.
 */
const namesAnother =
  (people: QuestionRooms['people']) =>
  async ({ oidc }: KoaContextWithOIDC): Promise<boolean> => {
    const { session, params, claims, result } = oidc
    if (!session?.accountId) return false
    const sub = (claims?.id_token as { sub?: { value?: unknown } | null } | undefined)?.sub
    const hint = params?.['id_token_hint']
    const hinted = typeof hint === 'string' ? subjectOf(hint) : undefined
    // the app knows the person by an id from before two of them became one; a `sub` that it insists on is not met by that
    const now = typeof hinted === 'string' && hinted !== session.accountId && (await people.merging.survivorOf(hinted))
    const named = [...(sub && 'value' in sub ? [sub.value] : []), ...(hint === undefined ? [] : [now || hinted])]
    if (named.every((one) => one === session.accountId)) return false
    if (result?.['login']) throw new errors.LoginRequired('the person whom the request names did not sign in')
    return true
  }

/** Of an ID token that the engine has verified when the request came. */
const subjectOf = (idToken: string): unknown =>
  JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString('utf8')).sub
