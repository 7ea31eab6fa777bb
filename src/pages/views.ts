/**
 * What each view is given: the contract between those who know what is to be said and those who know how it looks.
 * A view is a pure function `(data, messages) => View`; `document({ ...view, … })` makes the answer of it.
 *
 * Texts (`say`, `next`, `why`, reasons) are already in the person's language: `words.ts` has the tables by code.
 * Links and actions are paths of ours or http(s) addresses; anything else is rendered as a link to nowhere.
 */
import type { Instant } from '#core/clock'
import type { RefusalCode } from '#core/refusals'
import type { Sending } from '#http'
import type { Markup } from './markup.ts'
import type { AnsweredNotice, AskedData } from './views/confirming-data.ts'
import type { DetailWords, ScopeWords } from './words.ts'

/** What `document()` wraps. Spread it: `document({ ...identifierView(data, messages), lang, … })`. */
export interface View {
  readonly title: string
  readonly body: Markup
  readonly script?: 'passkey' | 'post' | 'asked'
  /** Where the browser goes by itself at once. */
  readonly goOn?: string
  /** Where the browser goes by itself after so many seconds, without a script. */
  readonly later?: { readonly seconds: number; readonly to: string }
  /** A form that the browser posts by itself after so many seconds; without scripts there is a button. */
  readonly postOn?: Required<Sending> & { readonly after: number }
  /** What the browser loads from apps, or posts to them, out of sight, so that they hear of a sign-out. */
  readonly frames?: readonly Sending[]
  /** `narrow` is the porch with its one door (the default); `wide` is for the launcher and the account. */
  readonly layout?: 'narrow' | 'wide'
  /** The page reports a problem: the title says so first, for screen readers and tabs. */
  readonly problem?: boolean
}

export type FactorKind = 'password' | 'passkey' | 'totp' | 'recovery-code'

/** Every form posts `step` (the view's own name unless given here) and the hidden fields, next to its own. */
export interface Form {
  readonly action: string
  readonly step?: string
  readonly hidden?: Readonly<Record<string, string>>
}

/** A step of the conversation: a form, and what may stand around it. */
export interface Step extends Form {
  /** Name of the app the person is on the way to. */
  readonly app?: string
  /** Why the last try did not work. */
  readonly refusal?: RefusalCode
  /** Under which the log says more. */
  readonly reference?: string
  /** Seconds until another try can succeed. */
  readonly retryAfter?: number
  /** One sentence for "Why am I asked?". */
  readonly why?: string
  /** Where another way can be chosen. */
  readonly otherWay?: string
  /** The operator's sentence on where to get help; shown once a try did not work. */
  readonly support?: string
}

/** Whose proof is asked for. */
export interface Who {
  readonly username: string
  /** Where somebody else can sign in instead. */
  readonly notYou?: string
}

export interface Link {
  readonly href: string
  readonly name: string
}

/** The two buttons of a question. By default `answer=allow` and `answer=deny`. */
export interface Answers {
  readonly yes: { readonly name: string; readonly value: string }
  readonly no: { readonly name: string; readonly value: string }
}

// The conversation. In brackets: the step's name; then the fields it posts.

/** [identifier] `username`; a second form of the same step posts `credential`, when options are given. */
export interface IdentifierData extends Step {
  readonly username?: string
  /** What the browser is asked (PublicKeyCredentialRequestOptionsJSON); absent: no passkeys here. */
  readonly passkey?: { readonly options: unknown }
  /** Other providers to sign in at. `silent`: it does not answer now. */
  readonly choices?: readonly (Link & { readonly silent?: boolean })[]
}
/** No step: the page on the way to another provider. */
export interface AwayData {
  readonly to: string
  readonly title: string
}
/** No step: carries a message to the app in a form, which goes by itself where scripts run. */
export interface OpeningData {
  readonly app: string
  /** An address that the app has registered. */
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
}
/** [newcomer] `answer`: `create` or `prove`. */
export interface NewcomerData extends Step {
  readonly provider: string
  /** What the provider calls them. */
  readonly account: string
  readonly may: readonly ('create' | 'prove')[]
  readonly notYou: string
}
/** [connect] `answer=allow` or `answer=deny`. */
export interface ConnectData extends Step, Who {
  readonly provider: string
  readonly account: string
}
/** [password] `password`, and `username` again for password managers. */
export interface PasswordData extends Step, Who {}
/** [new-password] `current`, `password`. */
export interface NewPasswordData extends Step, Who {
  readonly because: 'password-expired' | 'password-must-change'
}
/** [totp] `code`; `remember=yes` when offered and ticked. */
export interface TotpData extends Step, Partial<Who> {
  readonly remember?: Remember
}
/** [recovery-code] `code`. */
export interface RecoveryCodeData extends Step, Partial<Who> {}
/** [passkey] `credential`; `remember=yes` when offered and ticked. */
export interface PasskeyData extends Step, Partial<Who> {
  readonly options: unknown
  readonly remember?: Remember
}
/** Offers not to ask again on this device for so many days. */
export interface Remember {
  readonly days: number
  readonly ticked?: boolean
}
/** [choice] `way`: one of the values given. */
export interface ChoiceData extends Step, Partial<Who> {
  readonly ways: readonly { readonly way: string; readonly kind: FactorKind; readonly label?: string }[]
}
/** [enrol-choice] `way`: one of the values given, or `later`. */
export interface EnrolChoiceData extends Step {
  readonly ways: readonly { readonly way: string; readonly kind: FactorKind }[]
  /** The person may go on without. */
  readonly later?: boolean
}
/** [enrol-passkey] `credential`. */
export interface EnrolPasskeyData extends Step {
  /** PublicKeyCredentialCreationOptionsJSON. */
  readonly options: unknown
  readonly back?: string
}
/** [enrol-totp] `code`. */
export interface EnrolTotpData extends Step {
  /** As text, base32. */
  readonly secret: string
  /** `otpauth://…` */
  readonly uri?: string
  /** One SVG element; shown as an image, so nothing in it can run. */
  readonly qrSvg?: string
  readonly back?: string
}
/** [recovery-codes] no fields: the button says that they are stored. */
export interface RecoveryCodesData extends Form {
  readonly codes: readonly string[]
}
/** [consent] `answer` = allow | deny. */
export interface ConsentData extends Form {
  readonly app: string
  readonly scopes: readonly (string | ScopeWords)[]
  /** What is asked for this once. */
  readonly details?: readonly DetailWords[]
  readonly username?: string
  readonly answers?: Answers
}
/** [device-code] `user_code`. */
export interface DeviceCodeData extends Step {
  readonly userCode?: string
  /** Where to sign in first, which is a way on without waiting. */
  readonly signIn?: string
}
/** [device-confirm] `answer` = allow | deny. */
export interface DeviceConfirmData extends Form {
  readonly userCode: string
  readonly app: string
  readonly scopes?: readonly string[]
  readonly username?: string
  readonly answers?: Answers
}
export interface DeviceDoneData {
  readonly connected: boolean
  readonly app?: string
}
/** [enrol-device] `code`. */
export interface EnrolDeviceData extends Form {
  readonly code?: string
  /** The code came with the link: there is nothing to type. */
  readonly given?: boolean
  /** As which this browser is set up already; the form then says that it is to be replaced (`replace`). */
  readonly now?: { readonly id: string; readonly name: string; readonly site?: string; readonly stay: string }
  readonly refusal?: RefusalCode
  readonly retryAfter?: number
}
export interface DeviceEnrolledData {
  readonly kind: 'personal' | 'shared'
  readonly name: string
  readonly site?: string
  readonly again: string
}
/** [sign-out] `answer` = allow (sign out) | deny (stay). */
export interface SignOutData extends Form {
  readonly username?: string
  readonly app?: string
  /** Where "stay signed in" leads; absent: it is the form's second button. */
  readonly stay?: string
  readonly answers?: Answers
}
export interface SignedOutData {
  readonly signIn: string
  readonly apps?: readonly Link[]
  /** How many apps have confirmed it, and how it stands with the others. */
  readonly told?: {
    readonly confirmed: number
    readonly total: number
    readonly others: readonly UntoldApp[]
  }
}
/** `waiting` has not answered yet, `unreached` is told again and again, `refused` never will be, `asked` cannot confirm. */
export interface UntoldApp {
  readonly name: string
  readonly state: 'waiting' | 'unreached' | 'refused' | 'asked' | 'deaf'
  /** Its own start page. */
  readonly href?: string
}
/** [hand-over] In between, while the apps of whoever was here before are told. */
export interface HandOverData {
  readonly to: string
}
export interface RefusedData {
  /** The policy's own sentence, or one of ours. */
  readonly say: string
  /** What to do next. */
  readonly next?: string | Markup
  /** The operator's sentence on where to get help, where `next` says something else. */
  readonly support?: string
  readonly app?: string
  /** `7K4Q-92MD` */
  readonly reference?: string
  /** Page with the reasons. */
  readonly why?: string
  /** Where a missing way of signing in can be added. */
  readonly enrol?: string
  /** Back to the app, or to the launcher. */
  readonly back?: Link
  readonly apps?: string
  readonly otherPerson?: string
}
export interface ExpiredData {
  /** Where the sign-in starts again, to its own app. */
  readonly again: string
  readonly app?: string
  /** Where an administrator finds more. */
  readonly reference?: string
}
export interface ErrorData {
  readonly code: RefusalCode
  /** The request's id or a receipt's reference. */
  readonly reference?: string
  readonly home?: string
  readonly retryAfter?: number
  /** Where the same thing can be tried again with a GET. */
  readonly again?: string
}
export interface WaitingData {
  readonly code: 'throttled' | 'overloaded' | 'directory-unavailable' | 'storage-unavailable'
  readonly retryAfter?: number
  readonly again: string
  readonly app?: string
  readonly otherWay?: string
}
export interface WhyData {
  readonly outcome: 'allow' | 'deny' | 'challenge'
  readonly reference: string
  readonly at: Instant
  readonly app?: string
  /** Sentences, most important first: `reasonSentence()`. */
  readonly reasons: readonly string[]
  /** Sentences: `helpSentence()`, `helpSentences()`. */
  readonly help?: readonly (string | Markup)[]
  readonly rule?: string
  readonly back?: Link
}
/** [claim] `username`, `name`, `mail`, `password`: the first administrator. */
export interface ClaimData extends Step {
  readonly username?: string
  readonly name?: string
  readonly mail?: string
}

// The account area.

export interface LauncherData {
  readonly name?: string
  readonly asked?: AskedData
  /** How somebody has just answered. */
  readonly answered?: AnsweredNotice
  readonly apps: readonly LauncherApp[]
}
export interface LauncherApp {
  readonly id: string
  readonly name: string
  readonly href: string
  /** A step-up will come. */
  readonly locked?: boolean
  /** A short line below the name, such as the vendor. */
  readonly note?: string
}
/** What just happened, said at the top of the account page. */
export type Notice =
  | 'passkey-added'
  | 'totp-added'
  | 'recovery-codes-made'
  | 'password-changed'
  | 'factor-removed'
  | 'session-ended'
  | 'sessions-ended'
  | 'device-forgotten'
  | 'consent-withdrawn'

export interface AccountData {
  readonly name: string
  readonly username: string
  readonly organisation?: string
  readonly notice?: Notice
  readonly refusal?: RefusalCode
  readonly factors: readonly AccountFactor[]
  readonly sessions: readonly AccountSession[]
  readonly devices: readonly AccountDevice[]
  readonly consents?: readonly AccountConsent[]
  readonly asked?: AskedData
  /** Actions of POST forms; an absent one is not offered. Each posts the hidden fields. */
  readonly actions: {
    readonly addPasskey?: string
    readonly addTotp?: string
    readonly makeRecoveryCodes?: string
    readonly changePassword?: string
    readonly endOtherSessions?: string
    readonly endAllSessions?: string
  }
  readonly hidden?: Readonly<Record<string, string>>
}
export interface AccountFactor {
  readonly id: string
  readonly kind: FactorKind
  readonly label?: string
  readonly createdAt: Instant
  readonly lastUsedAt?: Instant
  /** Recovery codes left. */
  readonly left?: number
  readonly backedUp?: boolean
  /** Action of the POST form that removes it; absent: it stays. */
  readonly remove?: string
}
export interface AccountSession {
  readonly id: string
  readonly startedAt: Instant
  readonly lastSeenAt: Instant
  readonly address?: string
  /** The browser, as text; `browserName()` makes it of a User-Agent. */
  readonly browser?: string
  readonly current?: boolean
  readonly end?: string
}
export interface AccountDevice {
  readonly id: string
  readonly label: string
  readonly lastSeenAt?: Instant
  readonly trustedUntil?: Instant
  readonly current?: boolean
  readonly forget?: string
}
export interface AccountConsent {
  readonly app: string
  readonly scopes: readonly (string | ScopeWords)[]
  readonly withdraw?: string
}
/** [change-password] `current`, `password`. */
export interface ChangePasswordData extends Step {
  readonly username: string
  /** False when there is no password yet. */
  readonly current?: boolean
  readonly back?: string
}
