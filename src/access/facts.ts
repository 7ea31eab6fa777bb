/** What is known about a question, in the words of the policy language (POLICY.md, Facts). */
import type { AppPartner } from '#catalog'
import type { Instant } from '#core/clock'
import type { Person, PersonOutage } from '#directory'
import { UNKNOWN_ADDRESS } from '#http'
import type { Facts, Needs, Signal } from '#policy'
import type { Proof, Session } from '#sessions'
import { countingProofs, type OutageSource, outageFacts } from './outages.ts'
import type { Question } from './question.ts'
import { lookAround, type Sources, type Surroundings } from './surroundings.ts'

export interface GatheredFacts {
  readonly facts: Facts
  /** What was looked for, found or not: what is unknown without having been looked for cannot be decided later. */
  readonly gathered: readonly Signal[]
}

/** Everything that the policy which decides, and the baseline with it, can look at. */
export async function gatherFacts(
  question: Question,
  person: Person | undefined,
  now: Instant,
  sources: Sources & {
    readonly outages?: Pick<OutageSource, 'tiersWhileDown'>
    readonly outage?: PersonOutage | undefined
  },
  policy = question.policy ?? question.app?.policy,
): Promise<GatheredFacts> {
  const needs = sources.policies.needsOf(policy)
  const around = needs.size === 0 ? {} : await lookAround(needs, question, { person, now, policy, ...sources })
  const down = { outage: sources.outage, tiers: tiersFor(question, person, sources.outages) }
  return { facts: factsOf(question, person, now, around, down), gathered: gatheredFor(needs) }
}

/** Looked up only where a proof needs it. */
const tiersFor = (
  { session }: Question,
  person: Person | undefined,
  source: Pick<OutageSource, 'tiersWhileDown'> | undefined,
): readonly string[] =>
  person && source && session?.authenticated.some(({ duringOutage }) => duringOutage)
    ? source.tiersWhileDown(person.directory)
    : []

/** One list for each policy: it is written down with every decision. */
const lists = new WeakMap<Needs, readonly Signal[]>()

function gatheredFor(needs: Needs): readonly Signal[] {
  let list = lists.get(needs)
  if (!list) {
    // a journey is looked up with its places and times
    const more: readonly Signal[] = needs.has('travel') ? ['place', 'absence'] : []
    list = [...new Set([...needs.keys(), ...more])]
    lists.set(needs, list)
  }
  return list
}

/** Of somebody about whom everything is known that could be looked up. */
export function factsOf(
  question: Question,
  person: Person | undefined,
  now: Instant,
  around: Surroundings,
  down: { readonly outage?: PersonOutage | undefined; readonly tiers?: readonly string[] } = {},
): Facts {
  const { app, session, client, wanted } = question
  const { outage, tiers = [] } = down
  return {
    at: now,
    request: {
      kind: question.kind,
      started: question.startedAt,
      ...(wanted ? { wanted } : {}),
      ...(question.details?.length ? { authorization_details: question.details } : {}),
    },
    ...(person ? { user: { ...userFacts(person), ...outageFacts(outage) } } : {}),
    ...(app
      ? {
          app: {
            id: app.id,
            policy: question.policy ?? app.policy,
            tags: app.tags,
            tier: app.tier,
            audience: app.audience,
            probed: app.greenSince ?? null,
            ...(app.partner ? { partner: contractFacts(app.partner) } : {}),
          },
        }
      : question.policy
        ? { app: { id: null, policy: question.policy, tags: [], tier: null, probed: null } }
        : {}),
    network: { ...(question.address === UNKNOWN_ADDRESS ? {} : { ip: question.address }), ...around.place },
    device: {
      ...knownFacts(question.device),
      ...enrolledFacts(question),
      ...(around.platform ? { platform: around.platform } : {}),
    },
    ...(session
      ? {
          session: {
            ...upstream(around),
            ...sessionFacts(session, countingProofs(session.authenticated, question, tiers)),
          },
        }
      : {}),
    ...(around.history ? { history: around.history } : {}),
    client: client ? { ...client, ...around.client, organisation: app?.organisation ?? null } : null,
  } as Facts
}

/** Groups that could not be established are left out: unknown, never "none". */
const userFacts = (person: Person) => ({
  id: person.id,
  username: person.username,
  directory: person.directory,
  attributes: person.attributes,
  ...(person.groups ? { groups: person.groups } : {}),
  organisation: person.organisation ?? null,
})

const knownFacts = (device: Question['device']) =>
  device
    ? {
        id: device.id,
        known: true,
        ...(device.trustedSince === undefined ? {} : { trusted_since: device.trustedSince }),
      }
    : { known: false }

/**
 * Only an administrator makes a device a shared one, so what is known not to be enrolled is personal. A client that asks
 * for itself is on no device. Where nobody looked, nothing is said: unknown.
 */
function enrolledFacts({ enrolled, client }: Question) {
  if (enrolled) return { id: enrolled.id, enrolled: true, kind: enrolled.kind, site: enrolled.site ?? null }
  return enrolled === null || client ? { enrolled: false, kind: 'personal', site: null } : {}
}

const contractFacts = ({ networks, endsAt }: AppPartner) => ({
  ...(networks ? { networks } : {}),
  ...(endsAt === undefined ? {} : { ends: endsAt }),
})

const upstream = (around: Surroundings) => (around.upstream === undefined ? {} : { upstream: around.upstream })

const sessionFacts = ({ startedAt }: Session, proofs: readonly Proof[]) => {
  const elsewhere = proofs.find(({ factor }) => factor === 'upstream')
  return {
    started: startedAt,
    authenticated: proofs.filter((proof) => proof !== elsewhere).map(proofFacts),
    ...(elsewhere
      ? { upstream: { assurance: elsewhere.assurance, ...(elsewhere.ageUnknown ? {} : { at: elsewhere.at }) } }
      : {}),
  }
}

const proofFacts = (proof: Proof) => ({
  factor: proof.factor,
  at: proof.at,
  ...(proof.userVerified ? { user_verified: true } : {}),
  ...(proof.hardware ? { hardware: true } : {}),
})
