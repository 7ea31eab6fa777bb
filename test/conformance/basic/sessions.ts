/** A browser that comes a second time: whether somebody is asked again, and what is said about when (OIDC Core §3.1.2.1). */
import { expect } from 'vitest'
import { headingOf } from '../../../demo/browser.ts'
import { ask, browserOf, complete, finish, type Parameters, signIn } from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'

/** The second time nobody is shown anything, and both ID tokens are of the same sign-in. */
async function twice(op: Op, first: Parameters, second: (idToken: string) => Parameters): Promise<void> {
  const client = op.client('client')
  const browser = browserOf(op)
  const before = await complete(op, { browser, parameters: first })
  op.pass(2000)
  const asked = await ask(op, browser, client, second(before.tokens.id))
  const after = await finish(op, client, asked)
  expect([after.claims.sub, after.claims['auth_time']]).toEqual([before.claims.sub, before.claims['auth_time']])
  expect(after.claims['auth_time']).toBeTypeOf('number')
}

/** The second time the person signs in again, and the ID token says so. */
async function again(op: Op, parameters: Parameters): Promise<void> {
  const client = op.client('client')
  const browser = browserOf(op)
  const before = await complete(op, { browser })
  op.pass(2000)
  const asked = await ask(op, browser, client, parameters)
  expect([asked.answer, headingOf(asked.page)]).toEqual([undefined, expect.stringMatching(/\S/)])
  const after = await finish(op, client, await signIn(op, browser, client, asked))
  expect(after.claims.sub).toBe(before.claims.sub)
  expect(after.claims['auth_time']).toBeGreaterThan(before.claims['auth_time'] as number)
  expect(Math.abs((after.claims['auth_time'] as number) - Date.now() / 1000)).toBeLessThan(5)
}

export const SESSIONS: Modules = {
  'oidcc-prompt-login': (op) => again(op, { prompt: 'login' }),
  'oidcc-max-age-1': (op) => again(op, { max_age: '1' }),
  'oidcc-max-age-10000': (op) => twice(op, { max_age: '15000' }, () => ({ max_age: '10000' })),
  'oidcc-prompt-none-logged-in': (op) => twice(op, {}, () => ({ prompt: 'none' })),
  'oidcc-id-token-hint': (op) => twice(op, {}, (idToken) => ({ prompt: 'none', id_token_hint: idToken })),

  async 'oidcc-prompt-none-not-logged-in'(op) {
    const { answer } = await ask(op, browserOf(op), op.client('client'), { prompt: 'none' })
    expect(answer?.get('error')).toBe('login_required')
  },
}
