/** Apps that were registered with old facts and that nobody has opened yet: whether the facts still hold is not known. */
import { Refusal } from '#core/refusal'
import { audienceOf, type Source } from '../expiry.ts'

export const datedTemplates: Source = {
  name: 'dated-templates',
  async find({ catalog }) {
    const apps = (await catalog.apps.list()).filter((app) => app.firstOpenedAt === undefined)
    const expiring = await Promise.all(
      apps.map(async ({ id, name, template, audience }) => {
        const asOf = template === undefined ? undefined : await agesOf(template)
        return asOf === undefined
          ? []
          : [
              {
                what: 'dated-template',
                of: id,
                // the month that the facts are of: what changed since then is not in them
                at: Date.parse(`${asOf}-01`),
                say: `${name} was registered with facts of ${asOf} and nobody has opened it yet: it may not work for ${audienceOf(audience)}`,
                fix: `try it, or put its own metadata over them (\`apps export ${id}\`, \`apps apply\`)`,
              },
            ]
      }),
    )
    return { expiring: expiring.flat() }

    /** The template may be gone since. */
    async function agesOf(slug: string): Promise<string | undefined> {
      try {
        return (await catalog.templates.show(slug)).as_of
      } catch (error) {
        if (error instanceof Refusal) return undefined
        throw error
      }
    }
  },
}
