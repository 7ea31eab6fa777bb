/** What the verbs on people share: whom a name means, and how a person is printed. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { Refusal } from '#core/refusal'
import type { Person } from '#directory'
import type { Arguments, Context, House, Verb } from '../verb.ts'

/** In the audit trail. */
export const BY = 'cli'

/** By id, also one from before two people became one, else by user name. Throws `person-unknown`. */
export async function personOf(named: string, { people }: House): Promise<Person> {
  const person = (await byAnyId(named, people)) ?? (await people.find(named))
  if (!person) throw new Refusal('person-unknown', `nobody has the user name or id \`${named}\``)
  return person
}

/** Whose id this is or was. */
export async function byAnyId(id: string, people: House['people']): Promise<Person | undefined> {
  const person = await people.byId(id)
  const survivor = person ? undefined : await people.merging.survivorOf(id)
  return person ?? (survivor === undefined ? undefined : people.byId(survivor))
}

/** The user names of these ids. Whoever was removed, and what is no person's id, is not in it. */
export async function usernamesOf(
  ids: Iterable<string | undefined>,
  people: House['people'],
): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for (const id of new Set(ids)) {
    const person = id === undefined ? undefined : await byAnyId(id, people)
    if (person) names.set(id!, person.username)
  }
  return names
}

/** The id of the person whom `--user` names, if it is there. Throws `person-unknown`. */
export async function userIn(args: Arguments, house: House): Promise<string | undefined> {
  const named = args.flag('user')
  return named === undefined ? undefined : (await personOf(named, house)).id
}

/** The only argument, or undefined after saying how the verb is used. */
export function onlyArgument(args: Arguments, verb: Verb, context: Context): string | undefined {
  if (args.positional.length === 1) return args.positional[0]
  context.err(`usage: portico ${verb.usage}`)
  return undefined
}

/** A person as `--json` prints them. Groups that are not known are null, which is not the same as an empty list. */
export const shown = (person: Person) => ({
  id: person.id,
  username: person.username,
  directory: person.directory,
  name: person.name,
  given_name: person.givenName,
  family_name: person.familyName,
  mail: person.mail,
  mail_verified: person.mailVerified,
  organisation: person.organisation,
  language: person.language,
  groups: person.groups ?? null,
  attributes: person.attributes,
  disabled: person.disabled,
  created_at: new Date(person.createdAt).toISOString(),
  ...(person.goneAt === undefined ? {} : { gone_at: new Date(person.goneAt).toISOString() }),
})

export const groupsOf = (person: Person): string => person.groups?.join(', ') ?? 'groups unknown'

/**
 * Takes somebody away who may be needed to get in. Without `--force` not the last administrator, and nobody of `break_glass`. Answers
 * whether it was done, after saying why not.
 */
export async function takeAway(
  person: Person,
  args: Arguments,
  context: Context,
  { people }: House,
  does: (taking: { force: boolean }) => Promise<void>,
): Promise<boolean> {
  const force = args.has('force')
  const no = (code: string, why: string) => {
    context.err(`${code}: ${why}, so nothing was changed; --force does it all the same`)
    return false
  }
  for (const username of force || person.disabled ? [] : context.settings.break_glass)
    if ((await people.find(username).catch(() => undefined))?.id === person.id)
      return no(
        'break-glass',
        `\`${person.username}\` stands in \`break_glass\` of the settings, for when nobody else gets in`,
      )
  try {
    await does({ force })
    return true
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'last-administrator') throw error
    const more = '`groups add administrators USERNAME` makes another'
    return no(error.code, `\`${person.username}\` is the last administrator who is not switched off (${more})`)
  }
}

const LONGEST_SECRET = 4096

/**
 * The password of `--password-file F` or `--password-stdin`, without the newline that editors and `echo` put at its end.
 * ATTACK: there is no flag for the password itself, because every user of the machine can read command lines.
 */
export async function passwordFrom(args: Arguments): Promise<string | undefined> {
  const file = args.flag('password-file')
  if (file !== undefined && args.has('password-stdin'))
    throw new Refusal('input-invalid', '--password-file or --password-stdin, not both')
  const text =
    file !== undefined
      ? await readSecret(resolve(file))
      : args.has('password-stdin')
        ? await (process.stdin.isTTY ? askUnseen() : readStdin())
        : undefined
  return text?.replace(/\r?\n$/, '')
}

async function readSecret(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Refusal('input-invalid', `--password-file cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** One line from the terminal, which does not show it. */
function askUnseen(): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  process.stderr.write('Password: ')
  return new Promise((resolve, reject) => {
    lines.once('line', resolve)
    lines.once('close', () => {
      process.stderr.write('\n')
      reject(new Refusal('input-invalid', 'no password was typed'))
    })
    lines.once('line', () => lines.close())
    lines.once('SIGINT', () => lines.close())
  })
}

async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > LONGEST_SECRET) throw new Refusal('input-invalid', 'the password on standard input is too long')
  }
  return text
}
