/** Apps that a rule opens only as long as their last green probe is young. */
import { parseDuration } from '#core/duration'
import { wantedOf } from '#policy'
import { policiesNow } from '../../verbs/policy-folder.ts'
import { audienceOf, type Source } from '../expiry.ts'

export const probes: Source = {
  name: 'probes',
  async find({ catalog }, context) {
    const apps = (await catalog.apps.list()).filter(({ greenSince }) => greenSince !== undefined)
    const policies = apps.length > 0 ? await policiesNow(context) : undefined
    if (!policies) return { expiring: [] }
    return {
      expiring: apps.flatMap(({ id, name, policy, audience, greenSince }) => {
        const lengths = wantedOf(policies, policy, 'app.probed').map((wanted) =>
          parseDuration((wanted as { within: string }).within),
        )
        if (lengths.length === 0) return []
        return [
          {
            what: 'probe',
            of: id,
            at: greenSince! + Math.min(...lengths.map((length) => length ?? 0)),
            say: `the last green probe of ${name} is too old for a rule of ${policy}, which can then close the app for ${audienceOf(audience)}`,
            fix: `portico apps probe ${id} --target …`,
          },
        ]
      }),
    }
  },
}
