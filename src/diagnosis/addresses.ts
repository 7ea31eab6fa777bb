/** How an address that an app asks for differs from those that it is registered with. */
import type { SeenAddress } from './seen.ts'

export interface Difference {
  readonly kind: 'scheme' | 'slash' | 'other'
  /** The one that comes nearest. */
  readonly registered: string | undefined
  /** Of a host and port that one of them is on. */
  readonly sameHost: boolean
}

const SCHEME = /^https?:\/\//i
const withoutScheme = (address: string): string => address.replace(SCHEME, '')
const withoutSlash = (address: string): string => address.replace(/\/(?=$|\?)/, '')
const hostOf = (address: string): string | undefined => URL.parse(address)?.host || undefined

export function differenceOf({ asked, registered }: SeenAddress): Difference {
  const overOther = registered.find((one) => SCHEME.test(one) && withoutScheme(one) === withoutScheme(asked))
  if (overOther !== undefined && SCHEME.test(asked)) return { kind: 'scheme', registered: overOther, sameHost: true }
  const slashed = registered.find((one) => withoutSlash(one) === withoutSlash(asked))
  if (slashed !== undefined) return { kind: 'slash', registered: slashed, sameHost: true }
  const host = hostOf(asked)
  const near = host === undefined ? undefined : registered.find((one) => hostOf(one) === host)
  return { kind: 'other', registered: near ?? registered[0], sameHost: near !== undefined }
}

/** Where the registration has them. */
export const SETTING_OF = Object.freeze({
  redirect_uri: 'oidc.redirect_uris',
  post_logout_redirect_uri: 'oidc.post_logout_redirect_uris',
  AssertionConsumerServiceURL: 'saml.acs_urls',
} as const satisfies Record<SeenAddress['of'], string>)
