/** An errand: what somebody wanted when they had to sign in, and how far the conversation has come. */
import type { Question, Wanted } from '#access'
import type { Clock, Instant } from '#core/clock'
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import type { RefusalCode } from '#core/refusals'
import type { Arrived } from '#directory'
import type { FactorKind, RenewalReason } from '#factors'
import type { DetailWords, ScopeWords } from '#pages'
import type { State } from '#storage'

/** A way in which a proof can be given: here, or at the provider that somebody came from. */
export type Way = FactorKind | 'upstream'

/** What a provider is asked for beyond who it is. `maxAge` in seconds. */
export interface Demand {
  readonly maxAge?: number
  readonly strength?: string
}

export interface NewErrand {
  /** Unguessable; the door's own id for what it is waiting for, or a fresh one. */
  readonly id?: string
  readonly kind: Question['kind']
  readonly app?: string
  readonly policy?: string
  readonly wanted?: Wanted
  /** Where the browser goes in the end: a path of ours. */
  readonly returnTo: string
  /** Addresses to which `returnTo` leads on, for the Content-Security-Policy. */
  readonly formTargets?: readonly string[]
  readonly loginHint?: string
  /** What the app says about where to sign in: a provider by its id, or a domain. */
  readonly provider?: string
  readonly domainHint?: string
  /** Of an errand that goes on where an earlier one ended: when that one began, and the session it proved. */
  readonly startedAt?: Instant
  readonly session?: string
  /** Scopes that this person has to agree to before the app gets them. */
  readonly consent?: readonly string[]
  /** Those of them that belong to an API, in words. */
  readonly consentWords?: Readonly<Record<string, ScopeWords>>
  /** What they agree to this once, in words. */
  readonly consentDetails?: readonly DetailWords[]
  /** Somebody else shall sign in, or wants to: the session that exists does not count. */
  readonly somebodyElse?: boolean
}

export interface Errand extends NewErrand {
  readonly id: string
  readonly startedAt: Instant
  /**
   * The session in which a factor was given on this errand. Only then may factors count as given for this very request
   * (`within: 0s`): a browser that merely holds a cookie has shown nothing.
   */
  readonly session?: string
  /** Hash of the cookie of the browser that answered it first. */
  readonly browser?: string
  /** What was typed as user name. */
  readonly username?: string
  /**
   * The directory took the password and wants another one first. Chooses a page and nothing else: that page asks for
   * both, and the directory judges anew.
   */
  readonly toRenew?: RenewalReason
  /** The way chosen for the next proof. */
  readonly way?: Way
  /** The provider to which the browser is sent next. */
  readonly goTo?: string
  /** The settings have been asked where this errand goes; whoever comes back to its page stays there. */
  readonly routed?: true
  /** They came back from this provider: what it has not given it will not give. */
  readonly cameFrom?: string
  /** What the provider was asked for when the browser left for it; `again` where that was not the first time. */
  readonly asked?: Demand & { readonly again?: true }
  /** Somebody whom nobody knows here yet, and what may become of them. */
  readonly arrived?: Arrived
  readonly may?: readonly ('create' | 'prove')[]
  /** They have an account here, and prove it before both are connected. */
  readonly connecting?: true
  /** Why coming back did not work; said once. */
  readonly trouble?: { readonly code: RefusalCode; readonly reference: string }
  /** What is being added on the way. */
  readonly enrolling?: FactorKind
  /** Days were agreed for not asking again on this device. */
  readonly remember?: boolean
  /** A second factor was given in this conversation. */
  readonly raised?: boolean
  /** `unmet`: the policy would have been content, but nobody here can give what the request asks beyond it. */
  readonly outcome?: 'done' | 'consented' | 'declined' | 'refused' | 'unmet'
  /** Who said so. */
  readonly by?: string
}

/** `undefined` takes something back. */
export type Changes = { readonly [K in keyof Errand]?: Errand[K] | undefined }

export interface Errands {
  begin(errand: NewErrand): Promise<Errand>
  find(id: string): Promise<Errand | undefined>
  /** The errand with the changes, not yet written. */
  changed(errand: Errand, changes: Changes): Errand
  save(errand: Errand): Promise<void>
  /** Writes the changes and answers the errand as it is now. */
  change(errand: Errand, changes: Changes): Promise<Errand>
  end(id: string): Promise<void>
}

/** After the last thing that happened. */
export const ERRAND_LIFE = minutes(60)
const ID = /^[A-Za-z0-9_-]{16,64}$/

export function createErrands(state: State, clock: Clock): Errands {
  const key = (id: string) => `errand:${id}`
  const write = (errand: Errand) => state.set(key(errand.id), JSON.stringify(errand), { ttl: ERRAND_LIFE })
  const changed = (errand: Errand, changes: Changes) => ({ ...errand, ...changes }) as Errand
  return {
    async begin(wanted) {
      const errand: Errand = { ...wanted, id: wanted.id ?? randomId(), startedAt: wanted.startedAt ?? clock.now() }
      await write(errand)
      return errand
    },
    async find(id) {
      const stored = ID.test(id) ? await state.get(key(id)) : undefined
      return stored === undefined ? undefined : JSON.parse(stored)
    },
    changed,
    save: write,
    async change(errand, changes) {
      const next = changed(errand, changes)
      await write(next)
      return next
    },
    async end(id) {
      await state.delete(key(id))
    },
  }
}

/**
 * The address of an errand. The app stands in it so that one that is long gone can still start again at the right place.
 * `also` asks for another view of the same errand.
 */
export function pathOf(
  errand: Errand,
  also?: 'other' | 'enrol' | 'somebody-else' | 'back' | 'on' | `away=${string}`,
): string {
  const query = [...(errand.app ? [`app=${encodeURIComponent(errand.app)}`] : []), ...(also ? [also] : [])].join('&')
  return `/signin/${errand.id}${query ? `?${query}` : ''}`
}

export const browserHash = (cookie: string): string => sha256(`browser:${cookie}`)
