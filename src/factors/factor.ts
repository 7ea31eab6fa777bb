/** The contract of a factor. A member knows its own mathematics only; what all share belongs to the host (`host.ts`). */
import type { AuditEvent } from '#audit'
import type { Clock, Instant } from '#core/clock'
import type { RefusalCode } from '#core/refusals'
import type { Migration, Records, Storage } from '#storage'
import type { RenewalReason } from './to-renew.ts'

export type FactorKind = 'password' | 'passkey' | 'totp' | 'recovery-code'

/** That somebody gave a factor, and when. */
export interface Proof {
  readonly factor: FactorKind
  readonly at: Instant
  /** RFC 8176. */
  readonly amr: readonly string[]
  /** The authenticator checked the person (WebAuthn UV): the proof counts as two. */
  readonly userVerified?: boolean
  /** The key cannot leave the authenticator, as far as that says so itself. */
  readonly hardware?: boolean
  /** Which of the person's enrolled factors it was. */
  readonly credential?: string
  /** Compared with what was kept of it, because the person's directory could not be asked. */
  readonly duringOutage?: boolean
}

export interface FactorDescription {
  readonly kind: FactorKind
  /** SP 800-63B: something one knows, has, is. */
  readonly of: readonly ('knowledge' | 'possession' | 'inherence')[]
  readonly phishingResistant: boolean
  /** The RFC 8176 values that a proof may carry. */
  readonly amr: readonly string[]
}

export interface EnrolledFactor {
  /** Unique among the factors of the person; what `remove` takes. */
  readonly id: string
  readonly kind: FactorKind
  readonly label: string
  /** 0 where it is not known: a password belongs to its directory, which does not tell. */
  readonly createdAt: Instant
  readonly lastUsedAt?: Instant
  /** Recovery codes that are still there. */
  readonly left?: number
  /** The passkey is copied between the person's devices. */
  readonly backedUp?: boolean
  /** The passkey cannot leave its authenticator. */
  readonly hardware?: boolean
}

/** Which limits count (`throttle.ts`): guessing a password, guessing a short code, or nothing that can be guessed. */
export type Lane = 'password' | 'code' | 'passkey'

/** Who the caller takes the person for; a member never lets anybody else in than `personId`, where that is given. */
export interface Claimed {
  readonly personId?: string | undefined
  readonly username?: string | undefined
  /** The browser is known to this very person. */
  readonly knownDevice?: boolean
  /** The browser is one of the organisation's own. */
  readonly enrolledDevice?: boolean
}

export interface Enrolling {
  readonly personId: string
  readonly username: string
  readonly name: string
}

/** A verdict. `wrong` is a code for the audit trail; what the person reads is the same for all of them. */
export interface Wrong {
  readonly wrong: string
  /** What is thrown for it, instead of the factor's own. */
  readonly refusal?: RefusalCode
}
export interface Right extends Omit<Proof, 'factor' | 'at'> {
  readonly personId: string
}
/** The answer is right, and does not let the person in before they have chosen another one. */
export interface Renewal {
  readonly personId: string
  readonly toRenew: RenewalReason
}
export interface Added {
  readonly id: string
  /** Shown once. */
  readonly codes?: readonly string[]
  /** Where enrolling showed that the person has it. */
  readonly proof?: Omit<Proof, 'factor' | 'at'>
}

export interface Enrolment {
  /** What the trail says when it is done. */
  readonly event: AuditEvent
  /** How many wrong answers one `begin` allows; 0 where nothing has to be begun. */
  readonly tries: number
  /** `pending` is what an earlier `begin` of the same conversation left, which may be offered again. */
  begin(about: Enrolling, pending: string | undefined): Promise<{ options: unknown; pending?: string }>
  finish(
    input: unknown,
    about: { personId: string; label?: string | undefined; pending: string },
  ): Promise<Added | Wrong>
}

export interface Factor {
  readonly description: FactorDescription
  readonly lane: Lane
  /** What is thrown for a wrong answer. */
  readonly refusal: RefusalCode
  enrolled(personId: string): Promise<EnrolledFactor[]>
  /** Members that answer a challenge. `nonce` is unguessable and comes back inside the answer, as base64url. */
  readonly challenge?: {
    /** What the browser needs. */
    make(personId: string | undefined, nonce: Uint8Array<ArrayBuffer>): Promise<unknown>
    /** The nonce that an answer carries; undefined for what is no answer. */
    nonceIn(input: unknown): string | undefined
  }
  /** `nonce` was given by `nonceIn`, belongs to this conversation, and has just been spent by the host. */
  verify(input: unknown, claimed: Claimed, nonce: string): Promise<Right | Wrong | Renewal>
  readonly enrolment?: Enrolment
  /** `keepOne`: the person would have nothing left to sign in with, so the last one of this kind stays. */
  remove(personId: string, id: string, keepOne: boolean): Promise<'removed' | 'kept' | 'absent'>
  removeAll(personId: string): Promise<number>
  /**
   * One person becomes another: what `from` has is `into`'s, or goes where that would be two of what there is one of.
   * Answers how many went. INVARIANT: awaits nothing but queries of `on`; called again it changes nothing.
   */
  move(from: string, into: string, on: Records): Promise<number>
}

/** What the composer gives to all members. */
export interface FactorParts {
  readonly storage: Storage
  readonly clock: Clock
  /** Encryption at rest, bound to a record's id. */
  readonly keys: {
    seal(plaintext: string | Buffer, recordId: string): string
    unseal(sealed: string, recordId: string): Buffer
  }
  /** Public URL; its origin and host name are what passkeys are bound to. */
  readonly issuer: string
  /** The name that people see in their authenticators. */
  readonly organisation: string
  readonly verifyPassword: (
    username: string,
    password: string,
    device: { readonly known: boolean; readonly enrolled: boolean },
  ) => Promise<
    | { readonly id: string }
    | { readonly remembered: { readonly id: string } }
    | { readonly toRenew: { readonly id: string }; readonly because: RenewalReason }
    | 'wrong'
    | 'locked'
    | 'unconfirmed'
  >
  readonly hasPassword: (personId: string) => Promise<boolean>
}

/** One row of `kinds/list.ts`. */
export interface FactorRow {
  readonly create: (parts: FactorParts) => Factor
  readonly migrations: readonly Migration[]
  /** Loads what its first use would wait for. */
  readonly warm?: () => Promise<void>
}

export const LONGEST_LABEL = 64

/** What a person calls one of their factors, fit for a list; `otherwise` where nothing is left of it. */
export function labelOf(label: string | undefined, otherwise: string): string {
  const line = (label ?? '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim()
  return [...line].slice(0, LONGEST_LABEL).join('') || otherwise
}

/** What somebody typed: a text, or an object that has it under `name`. At most `longest` characters. */
export function typed(input: unknown, name: string, longest: number): string | undefined {
  const text = typeof input === 'object' && input !== null ? (input as Record<string, unknown>)[name] : input
  return typeof text === 'string' && text.length <= longest ? text : undefined
}
