/** Clients from outside, over two processes on one store: what one of them takes the other one knows, and the end as well. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DocumentHost, startDocumentHost } from '../support/client-documents.ts'
import { freePort } from '../support/ports.ts'
import { CALLBACK, CLIENT, send, type Told } from '../support/registering.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

/** Milliseconds in which a removal has to be felt everywhere. */
const FELT = 1000
const PKCE = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }

let place: Place
let documents: DocumentHost
let doors: [string, string]
let invitation: string
const serving: Serving[] = []
beforeAll(async () => {
  documents = await startDocumentHost()
  const terms = { policy: 'plain', audience: ['staff'] }
  place = await makePlace({
    settings: {
      outbound: { allow: ['127.0.0.0/8', '::1'] },
      registration: { hosts: ['localhost:9'], ...terms, authentication: ['client_secret_basic', 'none'] },
      client_documents: { hosts: [documents.host], ...terms },
    },
  })
  const other = await freePort()
  serving.push(await serve(place.config))
  serving.push(await serve(place.settings('other.yaml', { listen: `127.0.0.1:${other}` })))
  doors = [`http://127.0.0.1:${place.port}`, `http://127.0.0.1:${other}`]
  invitation = await invite(4)
})
afterAll(async () => {
  for (const one of serving) await one.stop()
  await documents?.close()
  place?.remove()
})

async function command(...words: string[]): Promise<string> {
  const run = portico([...words, '--config', place.config])
  expect(await run.exited, run.out() + run.err()).toBe(0)
  return run.out()
}
const invite = async (uses: number) =>
  /[\w-]{43}/.exec(await command('apps', 'invite', 'planners', '--uses', String(uses), '--life', '1d'))![0]
const register = (door: string, token: string, more: object = {}): Promise<Told> =>
  send(`${door}/oauth2/register`, token, { ...CLIENT, ...more })

/** Whether somebody is asked to sign in for it: its status, which is 400 for a client that nobody knows. */
async function opens(door: string, client_id: string): Promise<number> {
  const fields = { client_id, redirect_uri: CALLBACK, response_type: 'code', scope: 'openid', ...PKCE }
  const answer = await fetch(`${door}/oauth2/auth?${new URLSearchParams(fields)}`, { redirect: 'manual' })
  return answer.status
}
/** What it hears where it shows its secret with a code that there is not. */
async function redeems(door: string, id: string, secret: unknown): Promise<unknown> {
  const form = { grant_type: 'authorization_code', code: 'x', redirect_uri: CALLBACK, code_verifier: 'v'.repeat(43) }
  const headers = { authorization: `Basic ${btoa(`${id}:${secret}`)}` }
  const answer = await fetch(`${door}/oauth2/token`, { method: 'POST', headers, body: new URLSearchParams(form) })
  return ((await answer.json()) as { error: string }).error
}
const idOf = ({ status, body }: Told): string => {
  expect(status, JSON.stringify(body)).toBe(201)
  return String(body['client_id'])
}
const tokenIn = ({ body }: Told): string => String(body['registration_access_token'])

describe('a client that registers itself', () => {
  test('at one door is known at the other at once, and one that ends there is unknown here', async () => {
    for (const [here, there] of [doors, [doors[1], doors[0]]] as [string, string][]) {
      const made = await register(here, invitation, { token_endpoint_auth_method: 'client_secret_basic' })
      const id = idOf(made)
      expect(await opens(there, id)).toBe(303)
      expect(await redeems(there, id, made.body['client_secret'])).toBe('invalid_grant')
      const read = await send(`${there}/oauth2/register/${id}`, tokenIn(made))
      expect([read.status, read.body['client_id']]).toEqual([200, id])
      const gone = await send(`${there}/oauth2/register/${id}`, tokenIn(made), undefined, { method: 'DELETE' })
      expect(gone.status).toBe(204)
      await expect.poll(() => opens(here, id), { timeout: FELT }).toBe(400)
      expect(await redeems(here, id, made.body['client_secret'])).toBe('invalid_client')
      expect((await send(`${here}/oauth2/register/${id}`, tokenIn(made))).status).toBe(401)
    }
  })

  test('is changed at one and is another at the other', async () => {
    const made = await register(doors[0], invitation)
    const id = idOf(made)
    expect(await opens(doors[1], id)).toBe(303)
    const other = { ...CLIENT, client_id: id, redirect_uris: [`${CALLBACK}/other`] }
    const changed = await send(`${doors[0]}/oauth2/register/${id}`, tokenIn(made), other, { method: 'PUT' })
    expect(changed.status, JSON.stringify(changed.body)).toBe(200)
    await expect.poll(() => opens(doors[1], id), { timeout: FELT }).toBe(400)
  })

  test('that an administrator removes is refused at both', async () => {
    const id = idOf(await register(doors[0], invitation))
    for (const door of doors) expect(await opens(door, id)).toBe(303)
    await command('apps', 'remove', id)
    for (const door of doors) await expect.poll(() => opens(door, id), { timeout: FELT }).toBe(400)
  })

  test('spends an invitation once, whichever door it comes to', async () => {
    const few = await invite(3)
    const answers = await Promise.all(Array.from({ length: 30 }, (_, at) => register(doors[at % 2]!, few)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(27)
  })
})

test('a client that says in a document what it is, is read once for both doors', async () => {
  const id = documents.put('/planner', { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' })
  for (const door of doors) expect(await opens(door, id)).toBe(303)
  expect(documents.asked.filter((path) => path === '/planner')).toHaveLength(1)
})

test('one that is no client at one door is none at the other', async () => {
  const id = documents.put('/foreign', { redirect_uris: ['https://evil.example/'], token_endpoint_auth_method: 'none' })
  for (const door of doors) expect(await opens(door, id)).toBe(400)
})
