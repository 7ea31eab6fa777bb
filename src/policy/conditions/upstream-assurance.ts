import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { vouchedBits } from '../factors.ts'
import { implies, type Strength } from '../strengths.ts'
import { words } from './shapes.ts'

/**
 * What another identity provider vouches for, after mapping: at least as strong as one of these. A strength that does not
 * exist here says nothing.
 */
export const upstreamAssurance: Condition<string[], Strength | null> = {
  name: 'upstream.assurance',
  wanted: z.union([words, z.strictObject({ in: words }).transform((form) => form.in)]),
  refers: (wanted) => wanted.map((name) => ({ to: 'strength', name })),
  needs: () => [{ signal: 'upstream' }],
  samples: (_, { strengths }) => [
    { fact: 'session.upstream', values: () => [null, ...strengths.names.map((assurance) => ({ assurance }))] },
  ],
  prepare(wanted, { strengths }) {
    const enough = new Set(
      strengths.all
        .filter((vouched) =>
          wanted.some((name) => {
            const strength = strengths.find(name)!
            return implies(vouched, strength) || strength.met(vouchedBits(vouched.name))
          }),
        )
        .map(({ name }) => name),
    )
    return {
      why: 'it is not known what another identity provider vouches for',
      see({ facts }) {
        const upstream = facts.session?.upstream
        if (upstream === null) return null
        return upstream?.assurance === undefined ? undefined : strengths.find(upstream.assurance)
      },
      holds: (strength) => strength !== null && enough.has(strength.name),
      show: (strength) => strength?.name ?? null,
    }
  },
}
