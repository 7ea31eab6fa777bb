/** What would help somebody who is asked or refused, as sentences. What is not theirs to do is left to the help desk. */
import type { Instant } from '#core/clock'
import { type HelpCode, helpSentences, type Markup, type Messages } from '#pages'
import type { Change, Suggestion } from '#policy'

interface Helped {
  readonly messages: Messages
  /** Kinds of factor that the person has. */
  readonly enrolled: readonly string[]
  readonly now: Instant
}

interface Thing {
  readonly code: HelpCode
  readonly values?: Readonly<Record<string, string>>
  readonly at?: Instant
}

const USE: Readonly<Record<string, HelpCode>> = {
  passkey: 'use-passkey',
  totp: 'use-totp',
  'recovery-code': 'use-recovery-code',
  password: 'use-password',
}
const ADD: Readonly<Record<string, HelpCode>> = { passkey: 'add-passkey', totp: 'add-totp' }

/** More than that is no help any more. */
const MOST = 3

/**
 * One entry for each way that would do, best first.
 * INVARIANT: names of networks and platforms, and the time; never an address, a group, a site or what a rule says.
 */
export function helpWith(suggestion: Suggestion | undefined, helped: Helped): Markup[] {
  if (!suggestion) return []
  const ways = [suggestion.changes, ...suggestion.instead].flatMap((changes) => {
    const things = changes.map((change) => thingOf(change, helped))
    return things.includes(undefined) ? [] : [helpSentences(helped.messages, things as Thing[])]
  })
  return [...new Map(ways.map((way) => [way.toString(), way])).values()].slice(0, MOST)
}

/** True where one of the first ways is to add a factor. */
export const wantsAdding = (suggestion: Suggestion | undefined, enrolled: readonly string[]): boolean =>
  (suggestion?.changes ?? []).some(
    (change) => change.code === 'give-factor' && !enrolled.includes(change.factor) && change.factor in ADD,
  )

function thingOf(change: Change, { enrolled, now }: Helped): Thing | undefined {
  switch (change.code) {
    case 'give-again':
    case 'give-factor': {
      const { factor, hardware } = change
      if (hardware) return { code: 'use-hardware-key' }
      const code = (enrolled.includes(factor) ? USE : ADD)[factor]
      return code && { code }
    }
    case 'use-network':
      return { code: 'use-network', values: { networks: change.networks.join(', ') } }
    case 'use-platform':
      return { code: 'use-platform', values: { platform: change.platform } }
    case 'come-back-later': {
      const at = Date.parse(change.time)
      return at > now ? { code: 'come-back-later', at } : undefined
    }
    // only somebody else can do that, and whose group it is may be nobody's business
    case 'ask-group':
      return undefined
    case 'use-known-device':
    case 'use-enrolled-device':
    case 'leave-network':
    case 'sign-in-again':
      return { code: change.code }
  }
}
