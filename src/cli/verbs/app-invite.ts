/** `apps invite`: a token with which a client registers itself. */
import { parseDuration } from '#core/duration'
import type { Verb } from '../verb.ts'

const BY = 'cli'
const LONGEST = 90 * 86_400_000
const MOST = 1000

export const inviteApp: Verb = {
  words: ['apps', 'invite'],
  usage: 'apps invite NAME [--uses 1] [--life 7d]',
  summary: 'a token with which clients register themselves, where the settings have `registration`',
  options: ['uses', 'life'],
  async run(args, context) {
    const [name, ...more] = args.positional
    const uses = Number(args.flag('uses') ?? 1)
    const life = parseDuration(args.flag('life') ?? '7d')
    const counted = Number.isSafeInteger(uses) && uses >= 1 && uses <= MOST
    if (
      name === undefined ||
      more.length > 0 ||
      !/^[\w.@ -]{1,100}$/.test(name) ||
      !counted ||
      !life ||
      life > LONGEST
    ) {
      context.err(`usage: portico ${inviteApp.usage}; at most ${MOST} uses and 90d`)
      return 2
    }
    const { catalog } = await context.open()
    if (!catalog.registrations.open) {
      context.err('nobody can register: the settings have no `registration`')
      return 2
    }
    const token = await catalog.registrations.invite({ name, uses, life }, BY)
    context.print({ name, uses, life: `${life / 1000}s`, initial_access_token: token }, () => [
      token,
      `(shown this once; good for ${uses === 1 ? 'one registration' : `${uses} registrations`})`,
    ])
    return 0
  },
}
