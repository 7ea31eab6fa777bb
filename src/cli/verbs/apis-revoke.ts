/** `apis revoke …`: what was given out ends before its time; nobody is switched off by it, and whoever may gets new tokens. */
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { BY, userIn } from './person-lines.ts'

/** What is told of it: `id` is as it stands in tokens. */
interface Ended {
  readonly kind: 'client' | 'subject' | 'grant' | 'session' | 'token'
  readonly id: string
}

const WAYS = ['client', 'partner', 'user', 'session', 'grant', 'token'] as const

/** Undefined: there is nothing like that. Throws the refusal of what is not registered. */
async function carryOut(args: Arguments, house: House): Promise<Ended | undefined> {
  const { catalog, endings, revocations } = house
  const partner = args.flag('partner')
  const client = partner ?? args.flag('client')
  const [session, grant, token] = (['session', 'grant', 'token'] as const).map((name) => args.flag(name))
  const person = await userIn(args, house)
  if (person !== undefined) {
    if (client !== undefined && !(await catalog.apps.find(client))) throw await catalog.apps.unknown(client)
    await endings.revoke(person, client)
    // also what is kept nowhere and names no grant
    if (client === undefined) await revocations.revoke({ kind: 'subject', id: person }, BY)
    return { kind: 'subject', id: person }
  }
  if (client !== undefined) {
    if (partner !== undefined) await catalog.partners.find(partner)
    await catalog.apps.endTokens(client, BY)
    return { kind: 'client', id: client }
  }
  if (session !== undefined)
    return (await endings.revokeOfSession(session, BY)) ? { kind: 'session', id: session } : undefined
  if (grant !== undefined) {
    await endings.revokeGrant(grant, BY)
    return { kind: 'grant', id: grant }
  }
  const id = await endings.revokeToken(token!, BY)
  return id === undefined ? undefined : { kind: 'token', id }
}

/** One of them; a person and an app together are what the one gave the other. */
function isOneWay(args: Arguments): boolean {
  const named = WAYS.filter((name) => args.flag(name) !== undefined)
  return args.positional.length === 0 && (named.length === 1 || named.join(' ') === 'client user')
}

export const revokeTokens: Verb = {
  words: ['apis', 'revoke'],
  usage:
    'apis revoke --client ID | --partner ID | --user USERNAME [--client ID] | --session ID | --grant ID | --token TOKEN|JTI',
  summary: 'tokens that are out end now, at gateways that poll the list within seconds; new ones may be had',
  options: [...WAYS],
  async run(args, context: Context) {
    if (!isOneWay(args)) {
      context.err(`usage: portico ${revokeTokens.usage}`)
      return 2
    }
    const ended = await carryOut(args, await context.open())
    context.print(ended ? { revoked: true, ...ended } : { revoked: false }, () =>
      ended
        ? `tokens of ${ended.kind} ${ended.id} are over; opaque ones at once, others at gateways when they poll next`
        : 'no such session, or no living token of this gateway: nothing was revoked',
    )
    return ended ? 0 : 1
  },
}
