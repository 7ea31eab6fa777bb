/** What a door saw when something did not work, in words that hold for every protocol. Nothing of it is believed. */
import type { App } from '#catalog'

/** How far the app had come. A success there, or later on the same way, mends it. */
export type Stage =
  | 'authorization'
  | 'token'
  | 'introspection'
  | 'sign-on'
  | 'opening'
  | 'sign-in'
  | 'sign-out'
  /** Out of our sight: the person was let in and came back at once. */
  | 'arrival'
  /** It works, but the app is told less than it was registered for. */
  | 'groups'

export type Via = 'oidc' | 'saml' | 'forward-auth'

/** An address that the app named, and those that it is registered with. */
export interface SeenAddress {
  readonly of: 'redirect_uri' | 'post_logout_redirect_uri' | 'AssertionConsumerServiceURL'
  readonly asked: string
  readonly registered: readonly string[]
}

export type SentBy = 'client_secret_basic' | 'client_secret_post' | 'client_assertion'

export interface SeenAuthentication {
  /** All ways in which it was tried at once. */
  readonly sent: readonly SentBy[]
  readonly registered: string
  /** `blanks`: right but for blanks or ends of lines around it. Undefined where none was to be compared. */
  readonly secret?: 'right' | 'wrong' | 'blanks'
}

export interface Seen {
  /** The protocol's own word for it, one of ours or of the engine's. */
  readonly error: string
  readonly address?: SeenAddress
  readonly authentication?: SeenAuthentication
  /** `changed`: the redirect URI at the token endpoint is not the one of the authorization request. */
  readonly exchange?: 'verifier-missing' | 'verifier-wrong' | 'redirect-uri-changed' | 'grant-not-registered'
  /** What shows that the app has the key to which its tokens are bound. */
  readonly binding?: 'proof-missing' | 'proof-wrong' | 'certificate-missing' | 'certificate-none' | 'certificate-other'
  readonly pkce?: 'missing' | 'not-s256'
  /** Seconds by which the app's time is ahead of ours; negative where it is behind, or the message is old. */
  readonly clock?: { readonly of: string; readonly ahead: number }
  readonly audience?: {
    readonly of: 'client_assertion' | 'id_token_hint' | 'Destination' | 'introspection'
    readonly named: readonly string[]
    readonly expected: string
  }
  /** `missing`: the person has nothing of which it could be made. */
  readonly nameId?: { readonly asked: string; readonly registered: string; readonly missing?: true }
  readonly signature?: { readonly of: string; readonly fault: 'wrong' | 'missing' | 'sha1'; readonly keys: number }
  readonly scopes?: { readonly asked: readonly string[]; readonly registered: readonly string[] }
  /** Which cookie of ours did not come back. */
  readonly cookie?: 'sign-in' | 'resume' | 'opening'
  /** The same browser opened the app so many times within so many seconds. */
  readonly loop?: {
    readonly via: Via
    readonly times: number
    readonly within: number
    /** Whether the app took what it was given; SAML does not tell. */
    readonly redeemed?: boolean
  }
}

export interface Failure {
  readonly app: App
  /** The request's id, as in the log. */
  readonly request: string
  readonly stage: Stage
  readonly seen: Seen
}
