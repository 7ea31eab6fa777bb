/**
 * Signing people in on pages of another provider: the browser goes there and comes back. A kind of directory that does
 * so has this ability (`OpenDirectory.federated`); it knows its protocol only. Whom the provider may speak for, who that is
 * here, and what its word is worth is decided by the host (`arrivals.ts`).
 */
import type { Instant } from '#core/clock'
import type { Answer, Sending } from '#http'
import type { UpstreamPerson } from '../upstream-person.ts'

/** What a provider can vouch for: the strengths that policies have built in. */
export const ASSURANCES = Object.freeze(['any', 'two-factors', 'phishing-resistant', 'hardware'] as const)
export type Assurance = (typeof ASSURANCES)[number]

export interface Asked {
  /** Unguessable, used once; comes back with the answer (OAuth `state`, SAML `RelayState`). */
  readonly state: string
  /** Whom the person says to be, where they have said so. */
  readonly loginHint?: string
  /** Seconds since the sign-in there, at most; 0 asks for a new one. */
  readonly maxAge?: number
  /** The strength that is missing here. */
  readonly strength?: string
}

export interface Away {
  /** Where the browser goes. */
  readonly url: string
  /** What the answer is checked against; kept by the host until then. Texts only. */
  readonly remembered: Readonly<Record<string, string>>
}

/** What came back. */
export interface Returned {
  readonly url: URL
  /** Of a form that was posted; empty otherwise. */
  readonly form: ReadonlyMap<string, string>
}

/** The provider's session, for ending both together. */
export interface UpstreamSession {
  readonly subject: string
  readonly sid?: string
  /** What the provider wants to see again when it is told of our end (OIDC `id_token_hint`). */
  readonly hint?: string
}

/** What the provider says, taken from what it signed and nothing else. */
export interface Vouched {
  readonly person: UpstreamPerson
  /** OIDC `acr`, SAML `AuthnContextClassRef`. */
  readonly acr?: string
  /** RFC 8176, as the provider says it. */
  readonly amr: readonly string[]
  /** When the person signed in there; undefined where it does not tell. */
  readonly at: Instant | undefined
  readonly session: UpstreamSession
}

/** A message about a sign-out, as it came: in an address, in a form, or from server to server. */
export interface Told {
  /** What stands behind the question mark, as it was sent. */
  readonly query: string
  /** Of a body that is a form; empty otherwise. */
  readonly form: ReadonlyMap<string, string>
  /** Of a body that is XML. */
  readonly xml?: string
}

/** Somebody signed out there: everybody of this subject, or some sessions of theirs. */
export interface UpstreamLogout {
  readonly subject?: string
  /** As they stand in `UpstreamSession`. None: all of the subject. */
  readonly sids: readonly string[]
  /** Of this very message: it counts once. */
  readonly id: string
  /** Id of ours: who is at home there and has no session left there, where that is said of all. */
  readonly person?: string
  /**
   * What the provider waits to hear once that is done; without it, nothing more than that it was heard. `backTo`: where a
   * browser goes that the provider does not want back.
   */
  answer?(backTo: string): Promise<Answer | Sending>
}

/** The provider has heard of a sign-out here, and the browser is back. */
export interface UpstreamHeard {
  /** As it was given to `signOutThere`. */
  readonly backTo: string
}

export interface Federated {
  /** On the button of the sign-in page. */
  readonly title: string
  /** Its answers come as forms that the browser posts. */
  readonly posts?: true
  /** Throws `directory-unavailable`. */
  begin(asked: Asked): Promise<Away>
  /** Throws `upstream-refused` with the cause in `detail`, and `directory-unavailable`. */
  finish(returned: Returned, remembered: Away['remembered']): Promise<Vouched>
  /** Where the browser goes to end the session there as well; undefined where the provider has no such page. */
  signOutThere?(session: UpstreamSession, backTo: string): Promise<Sending | undefined>
  /** Checks a message that somebody has signed out, there or here. Throws `upstream-refused`, `directory-unavailable`. */
  loggedOut?(told: Told): Promise<UpstreamLogout | UpstreamHeard>
  /** How a server is told that its message is not accepted; undefined is for a page to the person who came with it. */
  logoutRefused?(told: Told): Answer | undefined
  /** What an administrator of the provider needs, for `GET /signin/back/ID/metadata`. */
  metadata?(): Promise<{ readonly type: string; readonly body: string }>
}
