/** Sam, in one browser, as the timelines of docs/policy-timelines.md tell of: gives what is asked and goes on. */
import type { Question, Verdict } from '#access'
import type { App } from '#catalog'
import { hours } from '#core/clock'
import { parseDuration } from '#core/duration'
import { openRooms } from '../access/rooms.ts'

/** Where the sites of the page are. */
export const SITES = { Utrecht: '192.0.2.1', Lisbon: '192.0.2.65' } as const
export const DEFAULTS = { idle: hours(2), max: hours(12) }
const SAM = 'sam'
const HAS = ['password', 'totp']
/** So long it takes to type one. */
const TYPING = 5000

export interface Opened {
  /** The factors that were given, in order. */
  readonly asked: readonly string[]
  readonly end: 'in' | 'denied'
}

export async function openVisitor(policies: Readonly<Record<string, unknown>>) {
  const clock = { at: 0, now: () => clock.at }
  const { access, sessions, devices, close } = await openRooms({ clock, policies, defaults: DEFAULTS, people: [SAM] })
  let cookie: string | undefined
  let device: string | undefined

  const visitor = {
    clock,
    address: SITES.Utrecht as string,
    close,
    async signOut() {
      const session = await sessions.find(cookie)
      if (session) await sessions.end(session.id, 'signed-out', SAM)
    },
    fails: () => access.memory.count('failures', SAM),

    async open(policy: string, { ticks }: { readonly ticks: boolean }): Promise<Opened> {
      const { address } = visitor
      const startedAt = clock.at
      const asked: string[] = []
      let session = await sessions.find(cookie)
      if (session) await sessions.touch(session, { deviceId: session.deviceId, enrolled: null, address })
      const question = async (): Promise<Question> => ({
        kind: 'app',
        app: { id: 'app', policy, tags: [], audience: ['*'] } as unknown as App,
        session,
        device: await devices.find(device, SAM),
        enrolled: null,
        address,
        startedAt,
        opens: true,
      })
      let verdict: Verdict = await access.ask(await question())
      let second = false
      while (verdict.outcome === 'challenge' && asked.length < 4) {
        const { missing } = verdict.decision
        const factor = session ? missing.find((set) => set.every((one) => HAS.includes(one)))?.[0] : 'password'
        if (factor === undefined) break
        // nobody may name a factor twice in one conversation
        if (asked.includes(factor)) break
        clock.at += TYPING
        const proofs = [{ factor, at: clock.at, amr: [] }]
        second ||= session !== undefined && factor !== 'password'
        const opened = session
          ? await sessions.raise(session, proofs)
          : await sessions.start({ personId: SAM, proofs, address })
        if (!session) await access.memory.count('sign_ins', SAM)
        ;({ session, cookie } = opened)
        asked.push(factor)
        verdict = await access.ask(await question())
      }
      if (verdict.outcome !== 'allow') return { asked, end: 'denied' }
      if (!(await sessions.find(cookie))) throw new Error('let in with a session that has ended')
      if (asked.length > 0) await access.memory.signedIn(SAM, address, verdict.facts)
      const remember = verdict.decision.remember_device
      const until = ticks && second && remember ? { until: clock.at + parseDuration(remember)! } : {}
      device = (await devices.remember(device, SAM, { label: 'browser', ...until })).cookie
      return { asked, end: 'in' }
    },
  }
  return visitor
}
