/** Client secrets that are taken beside their successors for a while. */
import { audienceOf, type Source } from '../expiry.ts'

export const appSecrets: Source = {
  name: 'app-secrets',
  async find({ catalog, clock }) {
    const apps = await catalog.apps.list()
    return {
      expiring: apps.flatMap(({ id, name, audience, previousSecretUntil: at }) =>
        // what has ended is what the administrator wanted
        at === undefined || at <= clock.now()
          ? []
          : [
              {
                what: 'app-secret',
                of: id,
                at,
                say: `the old client secret of ${name} is not taken any more: if the app has no other, ${audienceOf(audience)} cannot get in`,
                fix: `see that the app has the new one, then \`apps rotate-secret ${id} --finish\``,
              },
            ],
      ),
    }
  },
}
