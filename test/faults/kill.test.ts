/** `kill -9` in the middle of 1,000 sign-ins: what was answered holds, and nothing can be spent twice. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { PASSWORD } from '../support/gateway.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { makePlace, type Place, type Serving, serve } from '../support/serve.ts'

const SIGN_INS = 1000
/** So many have all their answers when the process dies. */
const ENOUGH = 300
/** Ten wrong or unfinished tries of one name are heard at once, so nobody signs in more often than that at a time. */
const PEOPLE = 125
const CODE_LIFE = 60_000

/** What one visitor was told, and what was sent without an answer. */
interface Visit {
  readonly username: string
  readonly verifier: string
  cookie?: string
  /** Answered, and not sent yet. */
  heldCode?: string
  heldSince?: number
  /** Sent to the token endpoint. */
  sentCode?: string
  sentRefresh?: string
  accessTokens: string[]
  refreshToken?: string
  spentRefresh: string[]
  done: boolean
}

let place: Place
let serving: Serving
const visits: Visit[] = []

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

function authorize(visit: Visit, more: Record<string, string> = {}): string {
  const parameters = new URLSearchParams({
    client_id: 'web',
    response_type: 'code',
    scope: 'openid offline_access',
    redirect_uri: CALLBACK,
    code_challenge: challengeOf(visit.verifier),
    code_challenge_method: 'S256',
    state: 'x',
    ...more,
  })
  return `${place.issuer}/oauth2/auth?${parameters}`
}

async function post(path: string, fields: Record<string, string>) {
  const response = await fetch(`${place.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`web:${place.secrets.get('web')}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: response.status, json: (await response.json()) as Record<string, string> }
}

const exchange = (visit: Visit, code: string) =>
  post('/oauth2/token', {
    grant_type: 'authorization_code',
    code,
    redirect_uri: CALLBACK,
    code_verifier: visit.verifier,
  })
const refresh = (token: string) => post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: token })
const works = async (answer: ReturnType<typeof post>) => (await answer).status === 200

/** One browser, from the app's button as far as its part goes. */
async function signIn(visit: Visit, part: number): Promise<void> {
  const browser = createBrowser({ stopAt: CALLBACK })
  try {
    let page = await browser.open(authorize(visit))
    page = await browser.submit(formOf(page, 'identifier'), { username: visit.username })
    const form = formOf(page, 'password')
    // on a busy machine many are turned away at first, as all of them come at once
    do page = await browser.submit(form, { password: PASSWORD })
    while (page.status === 503)
    const code = page.url.searchParams.get('code')
    if (!code) return
    if (part === 0) {
      visit.heldCode = code
      visit.heldSince = Date.now()
    } else {
      visit.sentCode = code
      const { json } = await exchange(visit, code)
      visit.accessTokens.push(json['access_token']!)
      visit.refreshToken = json['refresh_token']!
      if (part === 1) {
        visit.sentRefresh = visit.refreshToken
        const again = await refresh(visit.refreshToken)
        visit.spentRefresh.push(visit.sentRefresh)
        delete visit.sentRefresh
        visit.accessTokens.push(again.json['access_token']!)
        visit.refreshToken = again.json['refresh_token']!
      } else if (part === 2) {
        const silent = await browser.open(authorize(visit, { prompt: 'none' }))
        visit.heldCode = silent.url.searchParams.get('code')!
        visit.heldSince = Date.now()
      }
    }
    visit.done = true
  } catch {
    // the process is dead: what was not answered was not promised
  } finally {
    const cookie = browser.jar.get('portico-session')
    if (cookie) visit.cookie = cookie
  }
}

/** With so many at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = 24): Promise<void> {
  const rest = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}

beforeAll(async () => {
  const people = Array.from({ length: PEOPLE }, (_, i) => ({
    username: `p${i}`,
    name: `Person ${i}`,
    groups: ['staff'],
  }))
  place = await makePlace({
    people,
    settings: { log: { level: 'error' } },
    apps: [
      {
        id: 'web',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      },
    ],
  })
  serving = await serve(place.config)
  const running = Array.from({ length: SIGN_INS }, (_, i) => {
    const visit: Visit = {
      username: `p${i % PEOPLE}`,
      verifier: randomBytes(32).toString('base64url'),
      accessTokens: [],
      spentRefresh: [],
      done: false,
    }
    visits.push(visit)
    return signIn(visit, i % 4)
  })
  let done = 0
  await new Promise<void>((resolve) => {
    for (const [i, one] of running.entries())
      void one.then(() => {
        if (visits[i]!.done && ++done === ENOUGH) resolve()
      })
    void Promise.all(running).then(() => resolve())
  })
  expect(await serving.stop('SIGKILL')).toBeNull()
  await Promise.all(running)
  serving = await serve(place.config)
}, 120_000)

afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

const where = (has: (visit: Visit) => unknown) => visits.filter(has)

// in this order: the last two end grants, as they have to
describe('after a kill -9 in the middle of 1,000 sign-ins', () => {
  test('it was the middle: many were done, many were not', () => {
    expect(where((visit) => visit.done).length).toBeGreaterThanOrEqual(ENOUGH)
    expect(where((visit) => !visit.done).length).toBeGreaterThan(100)
  })

  test('a code that was answered and not exchanged is exchanged once', async () => {
    // on a busy machine the first ones may be over by themselves
    const held = where(({ heldCode, heldSince = 0 }) => heldCode && Date.now() - heldSince < CODE_LIFE - 15_000)
    expect(held.length).toBeGreaterThan(50)
    let worked = 0
    await each(held, async (visit) => {
      if (await works(exchange(visit, visit.heldCode!))) worked++
    })
    expect(worked).toBe(held.length)
  })

  test('every session cookie that was answered opens the app silently', async () => {
    const signedIn = where((visit) => visit.cookie)
    expect(signedIn.length).toBeGreaterThanOrEqual(ENOUGH)
    let opened = 0
    await each(signedIn, async (visit) => {
      const browser = createBrowser({ stopAt: CALLBACK })
      browser.jar.set('portico-session', visit.cookie!)
      const page = await browser.open(authorize(visit, { prompt: 'none' }))
      if (page.url.searchParams.has('code')) opened++
    })
    expect(opened).toBe(signedIn.length)
  })

  test('every access token that was answered is active', async () => {
    const tokens = visits.flatMap((visit) => visit.accessTokens)
    expect(tokens.length).toBeGreaterThan(200)
    let active = 0
    await each(tokens, async (token) => {
      if (String((await post('/oauth2/introspection', { token })).json['active']) === 'true') active++
    })
    expect(active).toBe(tokens.length)
  })

  test('every refresh token that was answered works once', async () => {
    const holders = where((visit) => visit.refreshToken && !visit.sentRefresh)
    expect(holders.length).toBeGreaterThan(100)
    const results: [first: boolean, second: boolean][] = []
    await each(holders, async (visit) => {
      const first = await works(refresh(visit.refreshToken!))
      results.push([first, await works(refresh(visit.refreshToken!))])
    })
    expect(results.filter(([first]) => !first)).toEqual([])
    expect(results.filter(([, second]) => second)).toEqual([])
  })

  test('what was on its way gives tokens at most once', async () => {
    const results: number[] = []
    await each(
      where((visit) => (visit.sentCode && visit.accessTokens.length === 0) || visit.sentRefresh),
      async (visit) => {
        const tries = visit.sentRefresh
          ? [await works(refresh(visit.sentRefresh)), await works(refresh(visit.sentRefresh))]
          : [await works(exchange(visit, visit.sentCode!)), await works(exchange(visit, visit.sentCode!))]
        results.push(tries.filter(Boolean).length)
      },
    )
    expect(results.filter((count) => count > 1)).toEqual([])
  })

  test('nothing that was spent works again', async () => {
    let again = 0
    await each(visits, async (visit) => {
      const codes = [visit.heldCode, ...(visit.accessTokens.length > 0 ? [visit.sentCode] : [])]
      for (const code of codes) if (code && (await works(exchange(visit, code)))) again++
      for (const token of visit.spentRefresh) if (await works(refresh(token))) again++
    })
    expect(again).toBe(0)
  })
})
