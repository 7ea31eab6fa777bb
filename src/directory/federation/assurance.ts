/** What the word of another provider is worth here: the rules of its settings, and nothing that they do not say. */
import type { Clock } from '#core/clock'
import { parseDuration } from '#core/duration'
import { ASSURANCES, type Assurance, type Vouched } from './federated.ts'

/** Of the settings. All that a rule names must hold. */
export interface AssuranceRule {
  /** One of them is what the provider says. */
  readonly acr?: readonly string[] | undefined
  /** All of them are among what it says. */
  readonly amr?: readonly string[] | undefined
  /** The sign-in there is no older. A sign-in of unknown age is older. */
  readonly within?: string | undefined
  readonly is: Assurance
}

/** The strongest that a rule gives; `any` where none does, because somebody did sign in there. */
export function assuranceOf(
  rules: readonly AssuranceRule[],
  { acr, amr, at }: Pick<Vouched, 'acr' | 'amr' | 'at'>,
  clock: Clock,
): Assurance {
  const young = (within: string) => at !== undefined && clock.now() - at <= (parseDuration(within) ?? 0)
  const given = rules.filter(
    (rule) =>
      (rule.acr === undefined || (acr !== undefined && rule.acr.includes(acr))) &&
      (rule.amr === undefined || rule.amr.every((method) => amr.includes(method))) &&
      (rule.within === undefined || young(rule.within)),
  )
  return ASSURANCES.findLast((one) => given.some(({ is }) => is === one)) ?? 'any'
}

/** RFC 8176 §2. */
const METHODS: ReadonlySet<string> = new Set(
  'face fpt geo hwk iris kba mca mfa otp pin pop pwd rba retina sc sms swk tel user vbm wia'.split(' '),
)
/** What only a second factor, or a key, is worth. */
const MORE: ReadonlySet<string> = new Set(['mfa', 'mca', 'hwk', 'swk', 'pop', 'sc'])

/**
 * The methods that apps are told of.
 * ATTACK: a provider that nobody believes in two factors must not say so to apps in our name.
 */
export const amrOf = (amr: readonly string[], assurance: Assurance): string[] =>
  [...new Set(amr)].filter((method) => METHODS.has(method) && (assurance !== 'any' || !MORE.has(method)))
