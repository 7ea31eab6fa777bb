/** `people …`: who is there. The import is in `people-import.ts`. */
import { csvLine, type NewPerson, type PeopleFilter, type Person } from '#directory'
import { time } from '../moment.ts'
import type { Arguments, House, Verb } from '../verb.ts'
import { IMPORT_COLUMNS, importPeople } from './people-import.ts'
import { BY, groupsOf, onlyArgument, passwordFrom, personOf, shown, takeAway } from './person-lines.ts'

const addPerson: Verb = {
  words: ['people', 'add'],
  usage:
    'people add USERNAME --name NAME [--group G]… [--mail M] [--given-name N] [--family-name N] [--organisation O] [--language L] [--directory ID] [--password-file F | --password-stdin]',
  summary: 'add a person to a local directory',
  creates: true,
  options: [
    'name',
    'group',
    'mail',
    'given-name',
    'family-name',
    'organisation',
    'language',
    'directory',
    'password-file',
  ],
  switches: ['password-stdin'],
  async run(args, context) {
    const username = onlyArgument(args, addPerson, context)
    const name = args.flag('name')
    if (username === undefined) return 2
    if (name === undefined) {
      context.err('name-missing: a person needs --name NAME')
      return 2
    }
    const password = await passwordFrom(args)
    const { people } = await context.open()
    const person = await people.add(newPerson(args, username, name, password), BY)
    context.print(
      shown(person),
      () => `added ${person.username} (${person.id})${password === undefined ? ', without a password' : ''}`,
    )
    return 0
  },
}

function newPerson(args: Arguments, username: string, name: string, password: string | undefined): NewPerson {
  const given = {
    givenName: args.flag('given-name'),
    familyName: args.flag('family-name'),
    mail: args.flag('mail'),
    organisation: args.flag('organisation'),
    language: args.flag('language'),
    directory: args.flag('directory'),
    password,
  }
  // the room checks the language like every other field
  const present = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Partial<NewPerson>
  return { username, name, groups: args.flags('group'), ...present }
}

/** Page by page, so that a large directory never stands in memory as rows twice. */
async function* everybody({ people }: House, filter: PeopleFilter): AsyncGenerator<Person> {
  let after: string | undefined
  for (;;) {
    const page = await people.list({ ...filter, limit: 1000, ...(after === undefined ? {} : { after }) })
    yield* page
    if (page.length < 1000) return
    after = page.at(-1)!.id
  }
}

const asCsv = (person: Person): string =>
  csvLine([
    person.username,
    person.name,
    person.givenName ?? '',
    person.familyName ?? '',
    person.mail ?? '',
    person.groups?.join(';') ?? '',
    person.organisation ?? '',
    person.language ?? '',
    String(person.disabled),
  ])

const listPeople: Verb = {
  words: ['people', 'list'],
  usage: 'people list [--group G] [--directory ID] [--search TEXT] [--disabled | --enabled] [--csv]',
  summary: 'people by user name; --csv prints what `people import` reads',
  options: ['group', 'directory', 'search'],
  switches: ['disabled', 'enabled', 'csv'],
  async run(args, context) {
    if (args.has('disabled') && args.has('enabled')) {
      context.err('--disabled or --enabled, not both')
      return 2
    }
    const [group, directory, search] = [args.flag('group'), args.flag('directory'), args.flag('search')]
    const filter: PeopleFilter = {
      ...(group === undefined ? {} : { group }),
      ...(directory === undefined ? {} : { directory }),
      ...(search === undefined ? {} : { search }),
      ...(args.has('disabled') ? { disabled: true } : args.has('enabled') ? { disabled: false } : {}),
    }
    const house = await context.open()
    const found: Person[] = []
    for await (const person of everybody(house, filter)) found.push(person)
    if (args.has('csv') && !context.json) {
      context.out(csvLine(IMPORT_COLUMNS.filter((column) => column !== 'password')))
      for (const person of found) context.out(asCsv(person))
      return 0
    }
    const width = Math.max(0, ...found.map(({ username }) => username.length))
    const line = (person: Person) =>
      `${person.username.padEnd(width)}  ${person.name}  ${person.directory}  ${groupsOf(person) || '-'}${person.disabled ? '  disabled' : ''}`
    context.print(found.map(shown), () => (found.length > 0 ? found.map(line) : 'nobody'))
    return 0
  },
}

const showPerson: Verb = {
  words: ['people', 'show'],
  usage: 'people show USERNAME',
  summary: 'everything about one person, by user name or id',
  async run(args, context) {
    const named = onlyArgument(args, showPerson, context)
    if (named === undefined) return 2
    const house = await context.open()
    const person = await personOf(named, house)
    const identities = (await house.people.identities(person.id)).map((one) => ({
      directory: one.directory,
      subject: one.upstreamId,
      linked_at: time(one.linkedAt),
      by: one.linkedBy,
    }))
    const earlier = await house.people.merging.absorbedBy(person.id)
    const hasPassword = await house.people.hasPassword(person.id)
    const view = { ...shown(person), has_password: hasPassword, identities, earlier_ids: earlier }
    context.print(view, () => [
      `${person.username}: ${person.name}${person.disabled ? ' (disabled)' : ''}`,
      `id            ${person.id}`,
      `directory     ${person.directory}`,
      `organisation  ${person.organisation ?? '-'}`,
      `mail          ${person.mail ? `${person.mail}${person.mailVerified ? '' : ' (not verified)'}` : '-'}`,
      `language      ${person.language ?? '-'}`,
      `groups        ${groupsOf(person) || '-'}`,
      `password      ${view.has_password ? 'yes' : 'no'}`,
      ...identities.map((one) => `also          ${one.directory}: ${one.subject}, since ${one.linked_at} by ${one.by}`),
      ...earlier.map((id) => `earlier id    ${id}`),
      `since         ${view.created_at}`,
      ...(person.goneAt === undefined ? [] : [`gone          ${view.gone_at}: ${person.directory} has them no more`]),
    ])
    return 0
  },
}

/** The verbs that do one thing to one person. */
const act = (
  word: string,
  summary: string,
  result: string,
  does: (house: House, person: Person, taking: { force: boolean }) => Promise<void>,
  takes = true,
): Verb => {
  const verb: Verb = {
    words: ['people', word],
    usage: `people ${word} USERNAME${takes ? ' [--force]' : ''}`,
    summary,
    ...(takes ? { switches: ['force'] } : {}),
    async run(args, context) {
      const named = onlyArgument(args, verb, context)
      if (named === undefined) return 2
      const house = await context.open()
      const person = await personOf(named, house)
      const done = takes
        ? await takeAway(person, args, context, house, (taking) => does(house, person, taking))
        : await does(house, person, { force: false }).then(() => true)
      if (!done) return 1
      context.print({ id: person.id, username: person.username, result }, () => `${result} ${person.username}`)
      return 0
    },
  }
  return verb
}

const setPassword: Verb = {
  words: ['people', 'password'],
  usage: 'people password USERNAME (--password-file F | --password-stdin)',
  summary: 'set the password of a local person; their sessions and tokens end before this returns',
  options: ['password-file'],
  switches: ['password-stdin'],
  async run(args, context) {
    const named = onlyArgument(args, setPassword, context)
    const password = await passwordFrom(args)
    if (named === undefined || password === undefined) {
      if (named !== undefined) context.err(`usage: portico ${setPassword.usage}`)
      return 2
    }
    const house = await context.open()
    const person = await personOf(named, house)
    await house.people.setPassword(person.id, password, BY)
    context.print(
      { id: person.id, username: person.username, result: 'changed' },
      () => `changed the password of ${person.username}`,
    )
    return 0
  },
}

export const peopleVerbs: Verb[] = [
  addPerson,
  importPeople,
  listPeople,
  showPerson,
  setPassword,
  act(
    'disable',
    'switch a person off: sessions and tokens end before this returns',
    'disabled',
    ({ people }, { id }, taking) => people.disable(id, BY, taking),
  ),
  act('enable', 'switch a person on again', 'enabled', ({ people }, { id }) => people.enable(id, BY), false),
  act('remove', 'end everything of a person, then forget them', 'removed', ({ people }, { id }, taking) =>
    people.remove(id, BY, taking),
  ),
]
