/** `apps rotate-secret`: at once, or with both secrets taken for a while. */
import { parseDuration } from '#core/duration'
import type { Context, Verb } from '../verb.ts'
import { idOf, rows } from './app-lines.ts'

const BY = 'cli'

export const rotateSecret: Verb = {
  words: ['apps', 'rotate-secret'],
  usage: 'apps rotate-secret ID [--overlap 7d | --finish]',
  summary:
    'a new client secret; the old one stops working at once, or is taken for --overlap too, until --finish ends it sooner',
  options: ['overlap'],
  switches: ['finish'],
  async run(args, context) {
    const id = idOf(rotateSecret, args, context)
    if (id === undefined) return 2
    const text = args.flag('overlap')
    const overlap = text === undefined ? undefined : parseDuration(text)
    if ((text !== undefined && !overlap) || (text !== undefined && args.has('finish'))) {
      context.err('--overlap: expected a length of time like 7d, and no --finish')
      return 2
    }
    return args.has('finish') ? finish(id, context) : rotate(id, overlap, context)
  },
}

async function rotate(id: string, overlap: number | undefined, context: Context): Promise<number> {
  const { catalog } = await context.open()
  const { clientSecret, previousUntil } = await catalog.apps.rotateSecret(id, BY, overlap)
  const until = previousUntil === undefined ? undefined : new Date(previousUntil).toISOString()
  const made = {
    id,
    client_id: id,
    client_secret: clientSecret,
    ...(until !== undefined && { previous_secret_until: until }),
  }
  context.print(made, () => [
    ...rows(made),
    '(the secret is shown this once)',
    until === undefined
      ? 'The old secret does not work any more: give the app the new one now.'
      : `The old secret works until then too. Once the app has the new one: apps rotate-secret ${id} --finish`,
  ])
  return 0
}

async function finish(id: string, context: Context): Promise<number> {
  await (await context.open()).catalog.apps.endPreviousSecret(id, BY)
  context.print({ id, finished: true }, () => `only the newest secret of ${id} works now`)
  return 0
}
