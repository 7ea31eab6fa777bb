/** The database of places: nothing stops when it is old, but rules on places decide by what was so then. */
import { days } from '#core/clock'
import type { Context } from '../../verb.ts'
import { policiesNow } from '../../verbs/policy-folder.ts'
import type { Source } from '../expiry.ts'

/** Blocks of addresses change hands all the time; makers of such databases want a newer one within a month. */
const OLD = days(60)

const UNDATED = Object.freeze({
  what: 'places',
  of: 'geoip-lite',
  say: 'rules look at places, and the database that comes along does not say of when it is; a file of your own does (`geo.file`)',
})

export const places: Source = {
  name: 'places',
  async find({ places: database }, context) {
    const { settings } = context
    if (settings.geo.file === undefined)
      return { expiring: [], unknown: (await looksAtPlaces(context)) ? [UNDATED] : [] }
    const madeAt = database.madeAt()
    if (madeAt === undefined) return { expiring: [] }
    return {
      expiring: [
        {
          what: 'places-old',
          of: undefined,
          at: madeAt + OLD,
          say: `\`geo.file\` is of ${new Date(madeAt).toISOString().slice(0, 10)}: rules on countries and journeys take people for somewhere else`,
          fix: 'get a newer file from its maker',
        },
      ],
    }
  },
}

/** Whether any policy in force, or the baseline, does. */
async function looksAtPlaces(context: Context): Promise<boolean> {
  const policies = await policiesNow(context)
  return (policies?.names ?? []).some((name) => {
    const needs = policies!.needsOf(name)
    return needs.has('place') || needs.has('travel')
  })
}
