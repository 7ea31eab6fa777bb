/** No answer of a route or of a question of a proxy leaves before what it rests on is durable. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { text } from '#http'
import { ask, type Running, serve } from './house.ts'

let running: Running
/** What has happened, in order. */
const seen: string[] = []
let disk: () => Promise<void> = async () => undefined

beforeAll(async () => {
  running = await serve({
    routes: [{ method: 'GET', path: '/route', handle: () => text('done') }],
    raw: [{ prefix: '/question', answer: () => ({ status: 200, headers: { 'x-for': 'proxies' }, body: 'done' }) }],
    async around(work) {
      const answer = await work()
      seen.push('worked')
      await disk()
      return answer
    },
  })
})
afterAll(() => running.close())

test.each(['/route', '/question'])('%s', async (path) => {
  seen.length = 0
  const written = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  disk = () => {
    begun.resolve()
    return written.promise
  }
  const answer = ask(`${running.origin}${path}`).then((found) => {
    seen.push('answered')
    return found
  })
  await begun.promise
  // another one is worked on meanwhile, and answered before: what was sent would have come
  disk = async () => undefined
  expect((await ask(`${running.origin}${path}`)).status).toBe(200)
  expect(seen).toEqual(['worked', 'worked'])
  written.resolve()
  expect(await answer).toMatchObject({ status: 200, body: 'done' })
  expect(seen).toEqual(['worked', 'worked', 'answered'])
})

test.each(['/route', '/question'])('%s, and the disk fails: nobody hears what was not kept', async (path) => {
  disk = () => Promise.reject(new Error('no space left'))
  const answer = await ask(`${running.origin}${path}`)
  expect([answer.status, answer.body]).toEqual([500, '{"code":"internal"}'])
})

test('the head of a question has the protection of every answer, and its length', async () => {
  disk = async () => undefined
  const { headers } = await ask(`${running.origin}/question`)
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-length': '4', 'x-for': 'proxies' })
})
