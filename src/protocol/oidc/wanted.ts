/** What a request asks on top of the policy (OIDC Core §3.1.2.1, and §5.5.1.1 for `claims`). It can only add. */
import { errors } from 'oidc-provider'
import type { Wanted } from '#access'

/**
 * Of the strengths one has to be met, the first that is names the answer's `acr`. An essential `acr` claim counts for more than
 * `acr_values`, which then only says what is preferred, and those for more than a claim that is not essential.
 */
export function wantedBy(params: Readonly<Record<string, unknown>> = {}, fresh = false): Wanted | undefined {
  const strength = strengthsOf(params['acr_values'], params['claims'])
  const maxAge = params['max_age']
  if (strength.length === 0 && maxAge === undefined && !fresh) return undefined
  return {
    ...(strength.length > 0 ? { strength } : {}),
    ...(maxAge === undefined ? {} : { max_age: Number(maxAge) }),
    ...(fresh ? { fresh: true } : {}),
  }
}

function strengthsOf(acrValues: unknown, claims: unknown): readonly string[] {
  const preferred = typeof acrValues === 'string' ? acrValues.split(' ').filter(Boolean) : []
  const { essential, values } = acrClaim(claims)
  if (values.length === 0 || (preferred.length > 0 && !essential)) return preferred
  return [
    ...preferred.filter((value) => values.includes(value)),
    ...values.filter((value) => !preferred.includes(value)),
  ]
}

/**
 * The request's own text is read: the engine puts `acr_values` in the place of the claim, and with it what is essential is gone.
 * Throws `invalid_request` for what cannot be read: a demand that nobody understands must not be taken for none.
 */
function acrClaim(claims: unknown): { essential: boolean; values: readonly string[] } {
  const asked = typeof claims === 'string' ? JSON.parse(claims)?.id_token?.acr : undefined
  if (asked === undefined || asked === null) return { essential: false, values: [] }
  const { essential = false, value, values = [] } = asked
  const all: unknown[] = [...(value === undefined ? [] : [value]), ...(Array.isArray(values) ? values : [undefined])]
  if (typeof asked !== 'object' || typeof essential !== 'boolean' || !all.every((one) => typeof one === 'string'))
    throw new errors.InvalidRequest('claims.id_token.acr is not a claim of strengths')
  return { essential, values: all }
}
