/** The database of places: nothing stops when it is old, but rules on places decide by what was so then. */
import { days } from '#core/clock'
import type { Source } from '../expiry.ts'

/** Blocks of addresses change hands all the time; makers of such databases want a newer one within a month. */
const OLD = days(60)

export const places: Source = {
  name: 'places',
  async find({ places: database }, { settings }) {
    const madeAt = settings.geo.file === undefined ? undefined : database.madeAt()
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
