/**
 * People of one place who open an app silently, exchange codes, refresh, sign out and sign in again, beside a program that asks for
 * tokens; and a book of what each of them was told, to be compared with what holds after something was done to the gateway.
 */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { PASSWORD } from './gateway.ts'
import { CALLBACK } from './relying-party.ts'
import type { Place } from './serve.ts'

export const people = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ username: `p${i}`, name: `Person ${i}`, groups: ['staff'] }))

/** What visitors open, and the program beside them. */
export const APPS = [
  {
    id: 'web',
    policy: 'plain',
    audience: ['staff'],
    oidc: {
      redirect_uris: [CALLBACK],
      scopes: ['openid'],
      grant_types: ['authorization_code' as const, 'refresh_token' as const],
    },
  },
  { id: 'robot', policy: 'plain', oidc: { grant_types: ['client_credentials' as const], scopes: [] } },
]

export interface Session {
  readonly username: string
  readonly cookie: string
  /** `asked`: the sign-out was sent and not answered. */
  over: 'no' | 'asked' | 'told'
  grant?: Grant
}

/** What the app got in one session. A code or refresh token that comes a second time ends all of it; what comes then is another one. */
interface Grant {
  readonly session: Session
  ended: boolean
}

/** A code, or a refresh token: gives tokens once. */
export interface Once {
  readonly kind: 'code' | 'refresh'
  readonly value: string
  readonly grant: Grant
  readonly since: number
  /** `sent`: there was no answer. */
  state: 'held' | 'sent' | 'spent'
  answers: number
}

export interface Token {
  readonly client: string
  readonly value: string
  /** Not for what the program got. */
  readonly grant?: Grant
  readonly idToken?: string | undefined
}

interface Visitor {
  readonly username: string
  session?: Session | undefined
  /** The cookie of the browser that this person always uses: in a strange one, those who are cut off midway are soon told to wait. */
  device?: string | undefined
}

interface Options {
  readonly place: Place
  readonly people: number
  /** From 0 to 1. */
  readonly random: () => number
  /** Where the next request goes, with the answer to nobody else but this browser; the place's own port unless given. */
  readonly port?: () => number
  /** After each answer that came. */
  readonly answered?: () => void
  /** So many of 100 steps of a person end the session, and as many leave it for another browser; 4 unless given. */
  readonly signOuts?: number
}

/** A gateway that is behind says so, and has done nothing. */
const BUSY = 503
const VERIFIER = 'a-verifier-that-everybody-here-has-as-nobody-listens-in'
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')
/** Held longer than that, a code may be over by itself (60 s). */
const CODE_GOOD = 40_000

export type Visitors = ReturnType<typeof createVisitors>

export function createVisitors({ place, people, random, port, answered, signOuts = 4 }: Options) {
  const sessions: Session[] = []
  const onces: Once[] = []
  const tokens: Token[] = []
  /** What somebody was told that must not be said. */
  const faults: string[] = []
  const counts = { signIns: 0, signOuts: 0 }
  const visitors: Visitor[] = Array.from({ length: people }, (_, i) => ({ username: `p${i}` }))

  async function send(url: URL, init: RequestInit = {}): Promise<Response> {
    const to = new URL(url)
    if (port) to.port = String(port())
    for (;;) {
      const response = await fetch(to, init)
      answered?.()
      if (response.status !== BUSY) return response
      await response.arrayBuffer()
    }
  }

  const browserWith = (cookie?: string) => {
    const browser = createBrowser({ stopAt: CALLBACK, fetch: send })
    if (cookie) browser.jar.set('portico-session', cookie)
    return browser
  }
  function address(more: Record<string, string> = {}): string {
    const parameters = new URLSearchParams({
      ...{ client_id: 'web', response_type: 'code', scope: 'openid', redirect_uri: CALLBACK, state: 'x' },
      ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
      ...more,
    })
    return `${place.issuer}/oauth2/auth?${parameters}`
  }
  const withCode = (code: string) => ({
    ...{ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER },
  })
  async function post(path: string, client: string, fields: Record<string, string>) {
    const response = await send(new URL(path, place.issuer), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client}:${place.secrets.get(client)}`)}` },
      body: new URLSearchParams(fields),
    })
    return { status: response.status, json: (await response.json()) as Record<string, string> }
  }
  const hold = (kind: Once['kind'], value: string, grant: Grant): Once => {
    const once: Once = { kind, value, grant, since: performance.now(), state: 'held', answers: 0 }
    onces.push(once)
    return once
  }
  function codeOf(page: Page, session: Session): Once | undefined {
    const code = page.url.searchParams.get('code')
    if (!code) return undefined
    if (!session.grant || session.grant.ended) session.grant = { session, ended: false }
    return hold('code', code, session.grant)
  }

  async function signIn(visitor: Visitor): Promise<void> {
    const browser = browserWith()
    const { username, device } = visitor
    if (device) browser.jar.set('portico-device', device)
    const asked = await browser.submit(formOf(await browser.open(address()), 'identifier'), { username })
    const page = await browser.submit(formOf(asked, 'password'), { password: PASSWORD })
    const cookie = browser.jar.get('portico-session')
    if (!cookie) throw new Error(`${username} did not get in: ${page.status} at ${page.url.pathname}`)
    visitor.session = { username, cookie, over: 'no' }
    visitor.device = browser.jar.get('portico-device')
    sessions.push(visitor.session)
    counts.signIns++
    const code = codeOf(page, visitor.session)
    if (code) await spend(code)
    else faults.push(`${username} signed in and got no code`)
  }

  /** Whether the browser with this cookie gets a code without being asked; the error that the app gets otherwise. */
  async function opens(session: Session): Promise<Once | string> {
    const page = await browserWith(session.cookie).open(address({ prompt: 'none' }))
    return codeOf(page, session) ?? `${page.url.searchParams.get('error') ?? page.status}`
  }

  /** Answers whether there were tokens. */
  async function spend(once: Once): Promise<boolean> {
    const { kind, value, grant } = once
    if (once.state === 'held') once.state = 'sent'
    const { status, json } = await post(
      '/oauth2/token',
      'web',
      kind === 'code' ? withCode(value) : { grant_type: 'refresh_token', refresh_token: value },
    )
    if (status !== 200) {
      if (status !== 400) faults.push(`a ${kind} was answered with ${status} ${JSON.stringify(json)}`)
      return false
    }
    once.answers++
    once.state = 'spent'
    tokens.push({ client: 'web', value: json['access_token']!, grant, idToken: json['id_token'] })
    hold('refresh', json['refresh_token']!, grant)
    return true
  }
  const fresh = (once: Once) => once.kind === 'refresh' || performance.now() - once.since < CODE_GOOD
  /** For what was answered and never sent. */
  async function spendHeld(once: Once): Promise<void> {
    if (!fresh(once)) return
    if (!(await spend(once))) faults.push(`a ${once.kind} that was answered and never sent was refused`)
  }

  async function signOut(visitor: Visitor, session: Session): Promise<void> {
    const browser = browserWith(session.cookie)
    const form = formOf(await browser.open(`${place.issuer}/signout`), 'sign-out')
    session.over = 'asked'
    const page = await browser.submit(form, { answer: 'allow' })
    if (page.status !== 200) faults.push(`a sign-out was answered with ${page.status}`)
    session.over = 'told'
    counts.signOuts++
    visitor.session = undefined
  }

  async function program(): Promise<void> {
    const { status, json } = await post('/oauth2/token', 'robot', { grant_type: 'client_credentials' })
    if (status === 200) tokens.push({ client: 'robot', value: json['access_token']! })
    else faults.push(`the program was answered with ${status} ${JSON.stringify(json)}`)
  }

  /** One thing that this person does next. Throws where no answer came. */
  async function step(visitor: Visitor): Promise<void> {
    const { session } = visitor
    if (!session) return signIn(visitor)
    const draw = random() * 100
    if (draw < signOuts) return signOut(visitor, session)
    if (draw < 2 * signOuts) {
      // another browser from now on; the session in this one lives on
      visitor.session = undefined
      return
    }
    if (draw < 25) return program()
    const held = onces.filter(({ grant, state }) => grant === session.grant && !grant.ended && state === 'held')
    if (draw < 55 && held.length > 0) return spendHeld(held[Math.floor(random() * held.length)]!)
    const code = await opens(session)
    if (typeof code === 'string') faults.push(`a session that lives was refused: ${code}`)
    else if (draw < 90) await spendHeld(code)
  }

  async function active({ client, value }: Token): Promise<boolean> {
    return String((await post('/oauth2/introspection', client, { token: value })).json['active']) === 'true'
  }

  return {
    ...{ sessions, onces, tokens, faults, counts, step, address, withCode, post },

    /** Everybody does one thing after the other until it is over; what has no answer then was not promised. */
    async visit(over: () => boolean, onError: (error: unknown) => void = () => {}): Promise<void> {
      await Promise.all(
        visitors.map(async (visitor) => {
          while (!over()) await step(visitor).catch(onError)
        }),
      )
    },

    /** What had no answer is asked again: it gives tokens now, or never. A sign-out that had none has happened or not. */
    async settle(): Promise<void> {
      const sent = onces.filter(({ state }) => state === 'sent')
      for (const once of sent) {
        if (!(await spend(once))) once.grant.ended = true
        once.state = 'spent'
      }
      for (const visitor of visitors) {
        const { session } = visitor
        if (session?.over !== 'asked') continue
        session.over = typeof (await opens(session)) === 'string' ? 'told' : 'no'
        if (session.over === 'told') visitor.session = undefined
      }
    },

    /** Everything that holds of what was told, as far as `some` says; the rest is looked at next time. */
    async compare(some: <T>(all: readonly T[]) => readonly T[] = (all) => all): Promise<void> {
      for (const session of some(sessions)) {
        const opened = typeof (await opens(session)) !== 'string'
        if (opened !== (session.over === 'no'))
          faults.push(opened ? 'a session that was ended opens the app' : 'a session that was answered is gone')
      }
      for (const token of some(tokens)) {
        if (token.grant?.ended) continue
        const [wanted, is] = [token.grant?.session.over !== 'told', await active(token)]
        if (is !== wanted) faults.push(`a token of ${token.client} is ${is ? 'active after the sign-out' : 'lost'}`)
      }
    },

    /** At the end, for it ends grants: what was held works, and nothing works again. */
    async spendAll(): Promise<void> {
      for (const once of onces.filter(({ state }) => state === 'held')) {
        if (once.grant.session.over === 'no' && !once.grant.ended) await spendHeld(once)
        else if (await spend(once)) faults.push(`a ${once.kind} gave tokens after its end`)
      }
      for (const once of onces.filter(({ state }) => state === 'spent'))
        if (await spend(once)) faults.push(`a ${once.kind} gave tokens after it was spent`)
    },
  }
}

/** Answers that somebody waits for, before and after what is done meanwhile. */
const ENOUGH = 100

/** Everybody goes on while `work` is done, whose first argument waits for so many answers more. Answers what did not go well. */
export async function whileVisited(
  { visit, faults }: Pick<Visitors, 'visit' | 'faults'>,
  answered: () => number,
  work: (more: (count: number) => Promise<void>) => Promise<unknown>,
): Promise<string[]> {
  const errors: string[] = []
  const more = async (count: number) => {
    const enough = answered() + count
    await expect.poll(answered).toBeGreaterThan(enough)
  }
  let over = false
  const visiting = visit(
    () => over,
    (error) => errors.push(String(error)),
  )
  try {
    await more(ENOUGH)
    await work(more)
    await more(ENOUGH)
  } finally {
    over = true
    await visiting
  }
  return [...errors, ...faults]
}
