/** `groups …`: who is in which group because somebody here said so. */
import { ADMINISTRATORS, type Person } from '#directory'
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { BY, groupsOf, personOf, takeAway } from './person-lines.ts'

const listGroups: Verb = {
  words: ['groups', 'list'],
  usage: 'groups list',
  summary: 'groups and how many people are in each',
  async run(_args, context) {
    const { people } = await context.open()
    const groups = await people.groups()
    const width = Math.max(0, ...groups.map(({ name }) => name.length))
    context.print(groups, () =>
      groups.length > 0 ? groups.map(({ name, members }) => `${name.padEnd(width)}  ${members}`) : 'no groups',
    )
    return 0
  },
}

async function change(
  args: Arguments,
  context: Context,
  verb: Verb,
  does: (house: House, person: Person, group: string) => Promise<boolean>,
): Promise<number> {
  const [group, named, ...more] = args.positional
  if (group === undefined || named === undefined || more.length > 0) {
    context.err(`usage: portico ${verb.usage}`)
    return 2
  }
  const house = await context.open()
  const before = await personOf(named, house)
  if (!(await does(house, before, group))) return 1
  const { id } = before
  const person = await personOf(id, house)
  context.print(
    { id, username: person.username, groups: person.groups ?? null },
    () => `${person.username}: ${groupsOf(person) || 'no groups'}`,
  )
  return 0
}

const addToGroup: Verb = {
  words: ['groups', 'add'],
  usage: 'groups add GROUP USERNAME',
  summary: 'put a person into a group',
  run: (args, context) =>
    change(args, context, addToGroup, ({ people }, { id }, group) => people.addToGroup(id, group, BY).then(() => true)),
}

const removeFromGroup: Verb = {
  words: ['groups', 'remove'],
  usage: 'groups remove GROUP USERNAME [--force]',
  summary: 'take a person out of a group; what another directory says stays',
  switches: ['force'],
  run: (args, context) =>
    change(args, context, removeFromGroup, async (house, person, group) => {
      const does = (taking: { force: boolean }) => house.people.removeFromGroup(person.id, group, BY, taking)
      // of the other groups none opens the console
      return group === ADMINISTRATORS
        ? takeAway(person, args, context, house, does)
        : does({ force: true }).then(() => true)
    }),
}

export const groupsVerbs: Verb[] = [listGroups, addToGroup, removeFromGroup]
