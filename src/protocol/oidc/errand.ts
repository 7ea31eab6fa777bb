/**
 * Where somebody has to be asked: the engine's interaction becomes an errand of the conversation, and what came of the errand the
 * interaction's result.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Apis } from '#apis'
import type { Audit } from '#audit'
import type { Signin } from '#signin'
import type { Consent } from './agreement.ts'
import { askedDetails, detailsIn, typesOf } from './asked-details.ts'
import { detailsInWords } from './authorization-details.ts'
import type { Visitor } from './bridge.ts'
import { scopesInWords } from './consent-words.ts'
import type { Consents } from './grants.ts'
import { ANOTHER_PERSON, type createQuestioning, type Proved } from './question.ts'

export interface ErrandRooms {
  readonly apis: Pick<Apis, 'all'>
  readonly audit: Audit
  readonly signin: Pick<Signin, 'begin' | 'find' | 'end'>
  readonly questioning: ReturnType<typeof createQuestioning>
  readonly consents: Pick<Consents, 'add'>
}

type Interaction = InstanceType<Provider['Interaction']>

/** What the app hears where the person came back without what it wanted: no rule, no place, no name. */
const ENDS = Object.freeze({
  declined: { error: 'access_denied', error_description: 'declined by the person' },
  refused: { error: 'access_denied', error_description: 'refused by policy' },
  // OpenID Connect Core Unmet Authentication Requirements 1.0
  unmet: {
    error: 'unmet_authentication_requirements',
    error_description: 'this person cannot authenticate as the request asks',
  },
})

/** What the engine's own checks of consent found missing. */
type Missing = { missingOIDCScope?: string[]; missingResourceScopes?: Record<string, string[]> }

/** A user name at its longest. */
const LONGEST_HINT = 256

/** Which provider, or whose domain, the app has in mind. A hint chooses a page and grants nothing. */
function hintsOf({ idp, domain_hint: domain }: Readonly<Record<string, unknown>>) {
  return {
    ...(typeof idp === 'string' ? { provider: idp.slice(0, LONGEST_HINT) } : {}),
    ...(typeof domain === 'string' ? { domainHint: domain.slice(0, LONGEST_HINT) } : {}),
  }
}

export function createErrands({ apis, audit, signin, questioning, consents }: ErrandRooms) {
  return {
    /** Answers where the browser goes. */
    async begin(ctx: KoaContextWithOIDC, interaction: Interaction): Promise<string> {
      const { missingOIDCScope, missingResourceScopes } = interaction.prompt.details as Missing
      const ofApis = await scopesInWords(missingResourceScopes, apis)
      const details = await detailsInWords(askedDetails(ctx), apis)
      const asksConsent = interaction.prompt.name === 'consent'
      const redirectUri = String(interaction.params['redirect_uri'] ?? '')
      // that of the app, or what an API wants that the request names
      const { question } = await questioning.ask(ctx)
      const { wanted } = question
      const proved = ctx.oidc.result?.['login'] as Proved | undefined
      const hint = interaction.params['login_hint']
      const another = interaction.prompt.reasons.includes(ANOTHER_PERSON)
      return signin.begin({
        id: interaction.uid,
        kind: 'app',
        app: ctx.oidc.client!.clientId,
        returnTo: new URL(interaction.returnTo).pathname,
        formTargets: redirectUri ? [redirectUri] : [],
        ...(wanted ? { wanted } : {}),
        ...(proved?.session === undefined ? {} : { session: proved.session, startedAt: proved.since! }),
        ...(typeof hint === 'string' ? { loginHint: hint.slice(0, LONGEST_HINT) } : {}),
        ...hintsOf(interaction.params),
        ...(another ? { somebodyElse: true } : {}),
        ...(asksConsent
          ? {
              consent: [
                ...(missingOIDCScope ?? (ofApis.size + details.length > 0 ? [] : ctx.oidc.requestParamOIDCScopes)),
                ...ofApis.keys(),
              ],
              ...(ofApis.size > 0 ? { consentWords: Object.fromEntries(ofApis) } : {}),
              ...(details.length > 0 ? { consentDetails: details } : {}),
            }
          : {}),
      })
    },

    /** The conversation's outcome becomes the interaction's result. */
    async takeOutcome(engine: Provider, uid: string, visitor: Visitor): Promise<void> {
      const [interaction, errand] = [await engine.Interaction.find(uid), await signin.find(uid)]
      if (!interaction || !errand?.outcome) return
      // the engine would refuse an interaction that began in an earlier session of this browser
      delete interaction.session
      const { lastSubmission } = interaction
      if (errand.outcome === 'done' || errand.outcome === 'consented') {
        const consented = errand.outcome === 'consented'
        const personId = visitor.session?.personId
        // without a result the question is put again: the session is over, or somebody else has signed in in another tab
        if (personId !== undefined && (!consented || errand.by === personId)) {
          if (consented && errand.app) {
            if (errand.consent?.length) await consents.add(personId, errand.app, errand.consent)
            const types = typesOf(detailsIn(interaction.params)).join(' ')
            const about = { actor: personId, subject: personId, app: errand.app }
            await audit.record('consent-given', { ...about, ...(types === '' ? {} : { reason: types }) })
          }
          const proved: Proved = {
            accountId: personId,
            ...(errand.session === undefined ? {} : { session: errand.session, since: errand.startedAt }),
          }
          interaction.result = {
            ...lastSubmission,
            login: proved,
            ...(consented ? { consent: { by: personId } satisfies Consent } : {}),
          }
        }
      } else {
        interaction.result = ENDS[errand.outcome]
      }
      await interaction.persist()
      await signin.end(uid)
    },
  }
}
