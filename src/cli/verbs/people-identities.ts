/** `people link | unlink`: other directories' accounts of a person. */
import { Refusal } from '#core/refusal'
import type { Verb } from '../verb.ts'
import { BY, onlyArgument, personOf } from './person-lines.ts'

const link: Verb = {
  words: ['people', 'link'],
  usage: 'people link USERNAME --directory ID (--as NAME | --subject ID)',
  summary: 'what another directory knows by this name or id is this person from now on',
  options: ['directory', 'as', 'subject'],
  async run(args, context) {
    const named = onlyArgument(args, link, context)
    const directory = args.flag('directory')
    const [name, subject] = [args.flag('as'), args.flag('subject')]
    if (named === undefined) return 2
    if (directory === undefined || (name === undefined) === (subject === undefined)) {
      context.err(`usage: portico ${link.usage}`)
      return 2
    }
    const house = await context.open()
    const person = await personOf(named, house)
    const upstreamId = subject ?? (await house.people.upstreamIdOf(directory, name!))
    if (upstreamId === undefined) throw new Refusal('person-unknown', `nobody in \`${directory}\` has this name`)
    await house.people.link(person.id, { directory, upstreamId }, BY)
    context.print(
      { id: person.id, username: person.username, directory, subject: upstreamId, result: 'linked' },
      () => `${person.username} is known to ${directory} as ${upstreamId}`,
    )
    return 0
  },
}

const unlink: Verb = {
  words: ['people', 'unlink'],
  usage: 'people unlink USERNAME --directory ID',
  summary: 'take an account of another directory from a person; their sessions and tokens end before this returns',
  options: ['directory'],
  async run(args, context) {
    const named = onlyArgument(args, unlink, context)
    const directory = args.flag('directory')
    if (named === undefined || directory === undefined) {
      if (named !== undefined) context.err(`usage: portico ${unlink.usage}`)
      return 2
    }
    const house = await context.open()
    const person = await personOf(named, house)
    const done = await house.people.unlink(person.id, directory, BY)
    context.print(
      { id: person.id, username: person.username, directory, result: done ? 'unlinked' : 'was-not-linked' },
      () =>
        done
          ? `${person.username} is not known to ${directory} any more`
          : `${person.username} was not linked to ${directory}`,
    )
    return done ? 0 : 1
  },
}

export const identityVerbs: Verb[] = [link, unlink]
