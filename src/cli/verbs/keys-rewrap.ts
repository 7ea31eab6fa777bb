/** `keys rewrap`: another master key, while servers run. */
import { resolve } from 'node:path'
import { makeMasterKey, replaceMasterKey } from '#keys'
import type { Verb } from '../verb.ts'

export const rewrap: Verb = {
  words: ['keys', 'rewrap'],
  usage: 'keys rewrap [--to FILE | --finish]',
  summary:
    'another master key in `secrets.key_file`, from which the old one opens nothing any more; running servers go on. For several machines: --to FILE makes it there and both open, and once every machine has it, --finish ends the old one',
  options: ['to'],
  switches: ['finish'],
  async run(args, context) {
    const to = args.flag('to')
    const { secrets } = context.settings
    if (args.has('finish')) {
      if (to !== undefined) return wrong(context.err, 'either --to or --finish')
      const { keys, audit } = await context.open()
      const ended = await keys.master.finish()
      if (ended > 0) await audit.record('master-key-ended', { actor: 'cli', key: keys.master.id, count: ended })
      context.print({ key: keys.master.id, ended }, () =>
        ended > 0
          ? `only ${keys.master.id} opens this database: the master key of these settings`
          : 'nothing to finish: only the master key of these settings opens this database',
      )
      return 0
    }
    if (to === undefined && secrets.key !== undefined)
      return wrong(context.err, '`secrets.key` is given by the settings: --to FILE makes another one in a file')
    const { keys, audit } = await context.open()
    const file = resolve(context.folder, to ?? secrets.key_file)
    // one that is left from a change that was broken off is taken: it may open the database already
    const fresh = to === undefined ? `${file}.next` : file
    const key = await keys.master.rewrap(makeMasterKey(fresh))
    if (key === keys.master.id) return wrong(context.err, `${fresh} holds the master key that is in use`)
    await audit.record('master-key-added', { actor: 'cli', key })
    if (to === undefined) {
      replaceMasterKey(file, fresh)
      const ended = await keys.master.drop()
      await audit.record('master-key-ended', { actor: 'cli', key, count: ended })
    }
    context.print({ key, before: keys.master.id, file }, () =>
      to === undefined
        ? [`${file} holds another master key, ${key}; the one before opens nothing any more`, KEEP]
        : [
            `${file} holds another master key, ${key}; the one before opens the database as well`,
            'give it to every machine as `secrets.key_file`, start them again, then: portico keys rewrap --finish',
            KEEP,
          ],
    )
    return 0
  },
}

const KEEP = 'keep a copy where no backup of the database is: backups made from now on open with it only'

function wrong(err: (line: string) => void, why: string): number {
  err(`keys rewrap: ${why}`)
  return 2
}
