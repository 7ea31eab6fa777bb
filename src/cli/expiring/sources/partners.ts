/** Contracts of partners: after the last day they get no tokens. */
import type { Source } from '../expiry.ts'

export const partners: Source = {
  name: 'partners',
  async find({ catalog }) {
    const all = await catalog.partners.list()
    return {
      expiring: all.flatMap(({ id, name, partner }) =>
        // one that was ended by hand was meant to
        partner?.endsAt === undefined || partner.endedAt !== undefined
          ? []
          : [
              {
                what: 'partner-contract',
                of: id,
                at: partner.endsAt,
                say: `${name} gets no tokens any more, and those that it has are over`,
                fix: `agree with ${partner.contacts[0]!.name} (${partner.contacts[0]!.email}), put the new \`expires\` into its contract and apply it, or \`partners end ${id}\``,
              },
            ],
      ),
    }
  },
}
