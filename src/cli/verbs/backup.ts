/** `backup` and `restore`: the whole database as one file. */
import { isAbsolute, resolve } from 'node:path'
import { Refusal } from '#core/refusal'
import { backUp, restore } from '#storage'
import type { Context, House, Verb } from '../verb.ts'
import { findingLine } from './finding-lines.ts'

/** File names on the command line start where it was typed, those of the settings in their folder. */
const storageUrl = ({ settings, folder }: Context): string => {
  const { url } = settings.storage
  const place = url.slice('sqlite:'.length)
  return url.startsWith('sqlite:') && !isAbsolute(place) ? `sqlite:${resolve(folder, place)}` : url
}

const elsewhere = ({ settings }: Context): string[] =>
  settings.state.url === undefined || settings.state.url === settings.storage.url
    ? []
    : ['what is short-lived (sessions, codes, opaque tokens) is kept at `state.url` and is not in it']

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`

const KEY = 'it opens with the master key only, which is not in it: keep a copy of that one elsewhere'

const backup: Verb = {
  words: ['backup'],
  usage: 'backup FILE',
  summary: 'everything that is committed now as one new file, while servers go on; restored by `restore`',
  async run(args, context) {
    const [file, ...more] = args.positional
    if (file === undefined || more.length > 0) return wrong(context, 'backup: expected the name of a new file')
    const path = resolve(file)
    const { bytes } = backUp(storageUrl(context), path)
    context.print({ file: path, bytes, state: elsewhere(context).length === 0 }, () => [
      `${path}: ${megabytes(bytes)}, checked`,
      KEY,
      ...elsewhere(context),
    ])
    return 0
  },
}

async function* everybody({ people }: House) {
  for (let after: string | undefined; ; ) {
    const page = await people.list({ limit: 1000, ...(after === undefined ? {} : { after }) })
    yield* page
    after = page.at(-1)?.id
    if (page.length < 1000) return
  }
}

async function countOf(all: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of all) count++
  return count
}

/** What whoever restores wants to see before they believe it. */
async function look(house: House) {
  const { sessions, keys, catalog, audit, seals } = house
  const [last] = await audit.search({ limit: 1 })
  return {
    people: await countOf(everybody(house)),
    sessions: await countOf(sessions.all()),
    apps: (await catalog.apps.list()).length,
    keys: keys.signing.list().map(({ kid }) => kid),
    ...(last && { last: new Date(last.at).toISOString() }),
    trail: await seals.check({}),
  }
}

/** Also what outlives a session. */
async function endAll(house: House): Promise<void> {
  for await (const { id } of everybody(house)) {
    await house.sessions.endAll(id, 'restored', 'cli')
    await house.endings.revoke(id)
  }
}

const restoreVerb: Verb = {
  words: ['restore'],
  usage: 'restore FILE [--replace] [--end-sessions] [--altered]',
  summary:
    'make a backup the database of these settings; with --replace the one before is kept beside it; --end-sessions: nobody is signed in any more, for what ended after the backup was made would live again; --altered: also where its trail is not what was written',
  switches: ['replace', 'end-sessions', 'altered'],
  creates: true,
  async run(args, context) {
    const [file, ...more] = args.positional
    if (file === undefined || more.length > 0) return wrong(context, 'restore: expected the file that `backup` wrote')
    const path = resolve(file)
    const { found, kept } = await restore(
      { url: storageUrl(context), file: path, replace: args.has('replace') },
      async (url) => {
        const house = await context.openAt(url)
        try {
          const found = await look(house)
          const [altered] = found.trail.findings
          if (altered && !args.has('altered'))
            throw new Refusal('audit-trail-altered', `${findingLine(altered)}; --altered restores it all the same`)
          if (args.has('end-sessions')) await endAll(house)
          await house.audit.record('database-restored', { actor: 'cli' })
          return { ...found, ...(args.has('end-sessions') && { sessions: await countOf(house.sessions.all()) }) }
        } finally {
          await house.close()
        }
      },
    )
    const { trail, ...counts } = found
    const whole = trail.findings.length === 0
    const sealed = { whole, events: trail.events, receipts: trail.receipts, head: trail.head ?? null }
    context.print({ ...counts, trail: sealed, kept: kept ?? null }, () => [
      `restored: ${found.people} people, ${found.apps} apps, ${found.sessions} sessions, ${found.keys.length} signing keys`,
      whole
        ? `its trail is what was written: ${trail.events} events and ${trail.receipts} receipts in ${trail.seals} seals`
        : `its trail was altered: ${findingLine(trail.findings[0]!)}`,
      ...(found.last === undefined
        ? []
        : [`the last thing in its trail was at ${found.last}; what was made or ended since is not in it`]),
      ...(kept === undefined ? [] : [`the database before is ${kept}`]),
    ])
    return 0
  },
}

function wrong({ err }: Context, why: string): number {
  err(why)
  return 2
}

export const backupVerbs: Verb[] = [backup, restoreVerb]
