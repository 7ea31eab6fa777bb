/** A receipt in words, for the person it is about. */
import { nowOf, type Receipt } from '#access'
import type { App } from '#catalog'
import { Refusal } from '#core/refusal'
import type { Answer } from '#http'
import { type HelpCode, helpSentence, reasonSentence, type WhyData, whyView } from '#pages'
import { DECIDING_FAILED, type Decision, DIRECTORY_DOWN, decide, UNWRITTEN } from '#policy'
import { helpWith, reasonsFor } from '#signin'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'

/** `7K4Q-92MD`, and room for how people type it. */
const LONGEST_REFERENCE = 32

export function createWhy({ access, catalog, factors, people, clock }: AccountOptions) {
  /** The whole decision where the policies that made it are in force or stored; else only what the receipt itself says. */
  async function decisionOf(receipt: Receipt): Promise<Decision> {
    const { facts, policies, outcome, policy, rule } = receipt
    // made again, it would be what it should have been
    const then = facts && rule !== DECIDING_FAILED && (await access.policiesThen(receipt))
    if (then) return decide(then, facts)
    return {
      outcome,
      policy: policy ?? null,
      rule: rule ?? null,
      line: null,
      satisfied_by: [],
      missing: [],
      reported: [],
      trace: [],
      versions: { policies, facts: 1 },
    }
  }

  /** What would help now, by the policies in force: what would have helped then may be of no use any more. */
  async function helpFor(receipt: Receipt, app: App | undefined, decision: Decision, visit: Visit) {
    const { messages, person } = visit
    const say = (code: HelpCode) => helpSentence(messages, code)
    if (decision.outcome === 'allow') return []
    // nothing that they could do opens it before
    if (decision.rule === DIRECTORY_DOWN) return [say('directory-down')]
    const enrolled = (await factors.enrolled(person.id)).filter(({ left }) => left !== 0).map(({ kind }) => kind)
    const now = nowOf(receipt, app, access.policies.current())
    if (now === 'passes') return [say('try-again')]
    const suggestion = now === 'asks' ? access.suggest({ facts: receipt.facts! }, enrolled) : undefined
    const ways = helpWith(suggestion, { messages, enrolled, now: clock.now() })
    if (decision.outcome === 'deny') return [...ways, say('ask-help-desk')]
    return ways.length > 0 ? ways : [say(decision.missing.length === 0 ? 'confirm-again' : 'ask-help-desk')]
  }

  /** Theirs, also from before two people became one. */
  const isOf = async ({ person }: Receipt, personId: string): Promise<boolean> =>
    person !== undefined && (person === personId || (await people.merging.survivorOf(person)) === personId)

  return async (visit: Visit): Promise<Answer> => {
    const { messages, person, request } = visit
    const reference = request.params['receipt'] ?? ''
    const receipt = reference.length <= LONGEST_REFERENCE ? await access.receipts.find(reference) : undefined
    // ATTACK: somebody else's receipt is the same 404 as one that never was
    if (!receipt || !(await isOf(receipt, person.id))) throw new Refusal('not-found', 'no receipt of this person')

    const decision = await decisionOf(receipt)
    const { at, facts = {}, outcome, rule } = receipt
    const registered = receipt.app === undefined ? undefined : await catalog.apps.find(receipt.app)
    const app = registered?.name ?? receipt.app
    // INVARIANT: sentences of ours and the rule's name; never what a rule says, an address or anybody else
    const reasons = reasonsFor({ decision, outcome, facts }, app ?? messages.account.title, messages)
    const help = await helpFor(receipt, registered, { ...decision, outcome }, visit)
    const data: WhyData = {
      outcome,
      reference: receipt.reference,
      at,
      ...(app === undefined ? {} : { app }),
      reasons: reasons.map(({ code, values }) => reasonSentence(messages, code, values)),
      help,
      ...(rule === undefined || UNWRITTEN.includes(rule) ? {} : { rule }),
      back: { href: '/', name: messages.common.toApps },
    }
    return visit.page(whyView(data, messages))
  }
}
