/** The app is who it says, perhaps, but has another secret: mostly an old one, or one of another installation. */
import type { Cause } from '../cause.ts'
import { say } from '../sentence.ts'

export const clientSecretWrong: Cause = {
  code: 'client-secret-wrong',
  find({ app, seen: { authentication } }) {
    const { secret, sent } = authentication ?? {}
    if (sent?.length !== 1 || (secret !== 'wrong' && secret !== 'blanks')) return undefined
    return {
      cause:
        secret === 'blanks'
          ? 'The client secret is right, but the app sends it with blanks or the end of a line around it.'
          : say`The client secret that the app sends is not the one of \`${app.id}\`.`,
      fix: [
        secret === 'blanks'
          ? 'in the app: write the client secret again, without a blank or the end of a line'
          : say`in the app: set the client secret that was shown when \`${app.id}\` was registered`,
        `portico apps rotate-secret ${app.id}    # a new one, where that is lost; the old one stops working at once`,
      ],
    }
  },
}
