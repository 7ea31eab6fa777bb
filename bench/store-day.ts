/**
 * A day in a store: one person opens eight apps 65 times in nine hours, under the shipped policies, from a store's
 * address, over HTTP and with a clock that is moved by hand. Counts how often Portico asks for anything, and says which
 * rule of which policy asked.
 *
 *     node bench/store-day.ts [--json]
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { createBrowser, formOf, type Page, passkeyOptions } from '../demo/browser.ts'
import { createAuthenticator } from '../test/support/authenticator.ts'
import { type Gateway, PASSWORD, startGateway } from '../test/support/gateway.ts'
import { travelTo } from './fake-date.ts'
import { type Cause, latestCause, seenInReceipts } from './store-day-cause.ts'

export interface Prompt extends Cause {
  /** Time of day, `09:00`. */
  readonly at: string
  readonly app: string
  readonly kind: 'sign-in' | 'step-up'
  /** The pages of the conversation, in order. */
  readonly asked: readonly string[]
}

export interface StoreDay {
  readonly openings: number
  readonly apps: number
  readonly hours: number
  readonly signIns: number
  readonly stepUps: number
  readonly prompts: readonly Prompt[]
  /** What the receipts of the day tell about it. */
  readonly seen: Awaited<ReturnType<typeof seenInReceipts>>
}

const OPENINGS = 65
const HOURS = 9
const HOUR = 3_600_000
/** A Monday, 09:00 in UTC. */
const MORNING = Date.parse('2026-11-23T09:00:00Z')
const RISKY = 'sim-swap'
const ORDINARY = ['crm', 'tills', 'stock', 'rota', 'orders', 'repairs', 'knowledge']
/** The risky app is opened seven times, from the middle of the morning to the end of the day. */
const isRisky = (opening: number) => opening % 10 === 9 || opening === OPENINGS - 1
const MOST_PAGES = 6

/** A stand-in for the apps' own servers: says that the browser has arrived. */
async function startLanding() {
  const server = createServer((_request, response) => response.end('in'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  return {
    callback: `http://localhost:${port}/callback`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function register(callback: string) {
  return [RISKY, ...ORDINARY].map((id) => ({
    id,
    name: id,
    policy: 'store-apps',
    audience: ['store', 'care'],
    tags: id === RISKY ? ['store', 'high-risk'] : ['store'],
    first_party: true,
    oidc: { redirect_uris: [callback], scopes: ['openid', 'profile'] },
  }))
}

/** The day before: the passkey is on the person's account already. */
async function addPasskey({ server, issuer, ids }: Gateway) {
  const key = createAuthenticator({ rpId: 'localhost', origin: issuer })
  const about = { personId: ids.get('sam')!, conversation: 'the-day-before-0001' }
  const { factors } = server.house
  const options = await factors.beginEnrolment('passkey', { ...about, username: 'sam', name: 'Sam de Vries' })
  await factors.finishEnrolment('passkey', key.create(options), about)
  return key
}

export async function storeDay(): Promise<StoreDay> {
  const clock = travelTo(MORNING - 16 * HOUR)
  const landing = await startLanding()
  let gateway: Gateway | undefined
  try {
    gateway = await startGateway({
      people: [{ username: 'sam', name: 'Sam de Vries', groups: ['staff', 'store'] }],
      apps: register(landing.callback),
    })
    const key = await addPasskey(gateway)
    const browser = createBrowser()
    const prompts: Prompt[] = []

    /** Answers whatever page is shown. */
    async function answer(page: Page): Promise<[asked: string, next: Page]> {
      const step = stepOf(page)
      const form = formOf(page, step)
      if (step === 'identifier') return [step, await browser.submit(form, { username: 'sam' })]
      if (step === 'password') return [step, await browser.submit(form, { password: PASSWORD })]
      if (step === 'passkey') {
        const credential = JSON.stringify(key.get(passkeyOptions(page)))
        return [step, await browser.submit(form, { credential })]
      }
      throw new Error(`nobody expected to be asked for "${step}"`)
    }

    for (let opening = 0; opening < OPENINGS; opening++) {
      const at = MORNING + (opening * HOURS * HOUR) / (OPENINGS - 1)
      clock.set(Math.round(at))
      const app = isRisky(opening) ? RISKY : ORDINARY[opening % ORDINARY.length]!
      const { url, verifier } = authorize(gateway.issuer, app, landing.callback)
      let page = await browser.open(url)
      if (!arrived(page, landing.callback)) {
        const challenge = await latestCause(gateway, 'challenge')
        const asked: string[] = []
        while (!arrived(page, landing.callback)) {
          if (asked.length >= MOST_PAGES) throw new Error(`${app} never opened: ${asked.join(', ')}`)
          // people need some seconds for each page
          clock.advance(5000)
          const [step, next] = await answer(page)
          asked.push(step)
          page = next
        }
        const kind = prompts.length === 0 || asked.includes('identifier') ? 'sign-in' : 'step-up'
        const cause = kind === 'sign-in' ? await latestCause(gateway, 'allow') : challenge
        prompts.push({ at: new Date(at).toISOString().slice(11, 16), app, kind, asked, ...cause })
      }
      await exchange(gateway, app, page.url, landing.callback, verifier)
    }
    const count = (kind: Prompt['kind']) => prompts.filter((prompt) => prompt.kind === kind).length
    return {
      openings: OPENINGS,
      apps: ORDINARY.length + 1,
      hours: HOURS,
      signIns: count('sign-in'),
      stepUps: count('step-up'),
      prompts,
      seen: await seenInReceipts(gateway),
    }
  } finally {
    await gateway?.close()
    await landing.close()
    clock.end()
  }
}

const arrived = (page: Page, callback: string): boolean => page.url.href.startsWith(callback)

function stepOf(page: Page): string {
  const step = /name="step" value="([a-z-]+)"/.exec(page.text)?.[1]
  if (!step) throw new Error(`a page without a question at ${page.url.pathname} (${page.status})`)
  return step
}

function authorize(issuer: string, app: string, callback: string) {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    client_id: app,
    response_type: 'code',
    redirect_uri: callback,
    scope: 'openid profile',
    state: 'st',
    nonce: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  return { url: `${issuer}/oauth2/auth?${query}`, verifier }
}

/** An opening counts when the app holds tokens. */
async function exchange({ issuer, secrets }: Gateway, app: string, landed: URL, callback: string, verifier: string) {
  const code = landed.searchParams.get('code')
  if (!code) throw new Error(`${app} did not open: ${landed.searchParams.get('error') ?? landed.search}`)
  const response = await fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${app}:${secrets.get(app)}`).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: callback,
      code_verifier: verifier,
    }),
  })
  if (!response.ok) throw new Error(`${app} got no tokens: ${response.status}`)
  await response.arrayBuffer()
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
  const day = await storeDay()
  if (values.json) console.log(JSON.stringify(day))
  else {
    console.log(`${day.signIns} sign-in and ${day.stepUps} step-up for ${day.openings} openings in ${day.hours} hours`)
    for (const { at, kind, app, asked, policy, rule, required } of day.prompts)
      console.log(`  ${at}  ${kind} for ${app}: ${asked.join(', ')}, because of ${policy} / ${rule} (${required})`)
  }
  process.exit(day.signIns === 1 && day.stepUps === 1 ? 0 : 1)
}
