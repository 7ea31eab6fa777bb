/** Our answers, before a dialect puts them into its proxy's words. */
import { type AccessToken, type Api, type AuthorizationDetail, PROOF_ALGS } from '#apis'
import { REFUSALS, type RefusalCode } from '#core/refusals'
import type { Reply } from './dialect.ts'
import type { ApiAccessOptions } from './options.ts'
import { metadataAddress } from './resource-metadata.ts'
import { TOLD } from './told.ts'

/** ATTACK: a proxy that keeps answers would find this one under the same address for whoever comes next. */
const NOT_KEPT = { 'Cache-Control': 'no-store' } as const
const [CLIENT, SUBJECT, SCOPE, DETAILS] = TOLD

export interface Why {
  readonly code: RefusalCode
  readonly api?: Api | undefined
  /** RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3. */
  readonly error?: string
  readonly description?: string
  /** What the call needs. */
  readonly scopes?: readonly string[]
  /** RFC 9470 §3: strengths, of which one is enough; seconds. */
  readonly acr?: readonly string[] | undefined
  readonly maxAge?: number | undefined
  readonly reference?: string | undefined
  readonly scheme?: 'Bearer' | 'DPoP'
  /** More of them. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Of names that an operator has chosen. */
const quotable = (name: string): string => name.replace(/[^\x21\x23-\x5b\x5d-\x7e]/g, '')

const OPEN: Reply = Object.freeze({
  status: 200,
  headers: Object.freeze({ [CLIENT]: '', [SUBJECT]: '', [SCOPE]: '', [DETAILS]: '', ...NOT_KEPT }),
})

export function createReplies({ issuer, refused }: Pick<ApiAccessOptions, 'issuer' | 'refused'>) {
  /** RFC 9728 §5.1: where a client reads which scopes there are, and who gives tokens. */
  function challenge({ api, error, description, scopes, acr, maxAge, scheme = 'Bearer' }: Why): string {
    const metadata = api && metadataAddress(api, issuer)
    const parts = [
      ...(error === undefined ? [] : [`error="${error}"`]),
      ...(description === undefined ? [] : [`error_description="${description}"`]),
      ...(scopes === undefined ? [] : [`scope="${scopes.join(' ')}"`]),
      ...(acr === undefined ? [] : [`acr_values="${acr.map(quotable).join(' ')}"`]),
      ...(maxAge === undefined ? [] : [`max_age="${maxAge}"`]),
      ...(scheme === 'DPoP' ? [`algs="${PROOF_ALGS.join(' ')}"`] : []),
      ...(metadata === undefined ? [] : [`resource_metadata="${metadata}"`]),
    ]
    return [scheme, parts.join(', ')].filter(Boolean).join(' ')
  }

  return {
    open: OPEN,
    allowed: (
      { client, subject }: Pick<AccessToken, 'client' | 'subject'>,
      scopes: readonly string[],
      details: readonly AuthorizationDetail[],
    ): Reply => ({
      status: 200,
      headers: {
        ...{ [CLIENT]: client, [SUBJECT]: subject, [SCOPE]: scopes.join(' ') },
        // as text it would hold quotes and letters that proxies understand differently
        [DETAILS]: details.length === 0 ? '' : Buffer.from(JSON.stringify(details)).toString('base64url'),
        ...NOT_KEPT,
      },
    }),
    /** A problem document (RFC 9457), with what a client of OAuth understands in its header. */
    refused(why: Why): Reply {
      const { code, reference, error, api } = why
      refused?.(code)
      // nothing that is not registered has a page of ours
      const status = REFUSALS[code].status === 404 ? 403 : REFUSALS[code].status
      const challenged = error !== undefined || (status === 401 && api !== undefined)
      const found = reference === undefined ? {} : { ref: reference }
      return {
        status,
        headers: {
          'content-type': 'application/problem+json',
          ...NOT_KEPT,
          ...why.headers,
          ...(challenged ? { 'WWW-Authenticate': challenge(why) } : {}),
        },
        body: JSON.stringify({ type: 'about:blank', title: REFUSALS[code].say, status, code, ...found }),
      }
    },
  }
}

export type Replies = ReturnType<typeof createReplies>
