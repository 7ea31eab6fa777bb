/** `groups …`: who is in which group because somebody here said so. */
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { BY, groupsOf, personOf } from './person-lines.ts'

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
  does: (house: House, id: string, group: string) => Promise<void>,
): Promise<number> {
  const [group, named, ...more] = args.positional
  if (group === undefined || named === undefined || more.length > 0) {
    context.err(`usage: portico ${verb.usage}`)
    return 2
  }
  const house = await context.open()
  const { id } = await personOf(named, house)
  await does(house, id, group)
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
    change(args, context, addToGroup, ({ people }, id, group) => people.addToGroup(id, group, BY)),
}

const removeFromGroup: Verb = {
  words: ['groups', 'remove'],
  usage: 'groups remove GROUP USERNAME',
  summary: 'take a person out of a group; what another directory says stays',
  run: (args, context) =>
    change(args, context, removeFromGroup, ({ people }, id, group) => people.removeFromGroup(id, group, BY)),
}

export const groupsVerbs: Verb[] = [listGroups, addToGroup, removeFromGroup]
