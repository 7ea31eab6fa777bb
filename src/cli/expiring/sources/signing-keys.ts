/** The keys of our tokens: when another one begins to sign. */
import type { Source } from '../expiry.ts'

export const signingKeys: Source = {
  name: 'signing-keys',
  async find({ keys }) {
    return {
      expiring: keys.signing
        .list()
        .filter(({ state }) => state === 'upcoming')
        .map(({ alg, signsFrom }) => ({
          what: 'signing-key-change',
          of: undefined,
          at: signsFrom,
          say: `tokens are signed by another ${alg} key: apps and APIs that keep a copy of \`/oauth2/jwks\` and never read it again refuse them`,
          fix: 'see that they read it again; those that follow the standard do by themselves',
        })),
    }
  },
}
