import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Refusal } from '#core/refusal'
import { REFUSALS, type RefusalCode } from '#core/refusals'

const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [, code = section] = /^`([^`]+)`\n/.exec(section) ?? []
    const [, status, say] = /\n\n(\d{3}) · ([^\n]+)\n\n/.exec(section) ?? []
    const [, means, todo] = /\n\n\d{3} · [^\n]+\n\n([\s\S]+?)\n\*What to do:\* ([\s\S]+?)\n(?:\n|$)/.exec(section) ?? []
    return { code, status: Number(status), say, means, todo }
  })
const codes = Object.keys(REFUSALS) as RefusalCode[]

describe('docs/errors.md', () => {
  test('documents every code, and no other, in alphabetical order', () => {
    expect(sections.map(({ code }) => code)).toEqual(codes)
    expect(codes).toEqual([...codes].sort())
  })

  test.each(sections)('says the status and the sentence of $code as the table does', ({ code, status, say }) => {
    expect({ status, say }).toEqual(REFUSALS[code as RefusalCode])
  })

  test.each(sections)('says what $code means to an operator and what to do', ({ means, todo }) => {
    expect(means?.trim()).toMatch(/\.$/)
    expect(todo?.trim()).toMatch(/\.$/)
  })
})

test.each(codes)('%s is kebab-case, an error status, and one plain sentence or two', (code) => {
  const { status, say } = REFUSALS[code]
  expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(600)
  expect(say).toMatch(/^[A-Z][^<>&{}]+\.$/)
})

test('a refusal carries its status and sentence, and keeps what is for the log apart', () => {
  const cause = new Error('what a library said')
  const refusal = new Refusal('throttled', 'guess-address', { retryAfter: 30, cause })
  expect(refusal).toMatchObject({ code: 'throttled', status: 429, retryAfter: 30, detail: 'guess-address', cause })
  expect(refusal.say).toBe(REFUSALS.throttled.say)
  expect(refusal.say).not.toContain('guess')
  expect(refusal.message).toBe('throttled: guess-address')
  expect('cause' in new Refusal('not-found')).toBe(false)
})
