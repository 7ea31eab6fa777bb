/** What another identity provider vouches for, counted and aged like a factor of our own. */
import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { policiesOf } from './house.ts'

const AT = '2026-11-22T09:00:00Z'
const rule = (allow: object) => policiesOf([{ name: 'r', allow }], STRENGTHS)
const STRENGTHS = { 's.yaml': { strengths: { elsewhere: [['upstream']], floor: [['passkey'], ['password']] } } }

const judge = (allow: object, session: object) =>
  decide(rule(allow), { at: AT, user: { id: 'p' }, session } as Facts, { policy: 'p' })
const vouched = (assurance: string, at: string | undefined = '2026-11-22T08:30:00Z') => ({
  started: '2026-11-22T08:59:00Z',
  upstream: { assurance, ...(at ? { at } : {}) },
})

describe('what another provider vouches for', () => {
  test.each([
    ['any', 'any', 'allow'],
    ['any', 'two-factors', 'challenge'],
    ['two-factors', 'any', 'allow'],
    ['two-factors', 'two-factors', 'allow'],
    ['two-factors', 'phishing-resistant', 'challenge'],
    ['phishing-resistant', 'phishing-resistant', 'allow'],
    ['phishing-resistant', 'two-factors', 'allow'],
    ['phishing-resistant', 'hardware', 'challenge'],
    ['hardware', 'hardware', 'allow'],
    // combinations name factors that are given here, except for the one word for elsewhere
    ['hardware', 'floor', 'challenge'],
    ['any', 'elsewhere', 'allow'],
    // a word that is none of the built-in strengths is worth nothing
    ['floor', 'any', 'challenge'],
    ['constructor', 'any', 'challenge'],
  ])('%s where %s is asked: %s', (assurance, strength, outcome) => {
    expect(judge({ strength }, vouched(assurance)).outcome).toBe(outcome)
  })

  test('a second factor given here makes two of the one given there', () => {
    const totp = { authenticated: [{ factor: 'totp', at: AT }] }
    const verdict = judge({ strength: 'two-factors' }, { ...vouched('any'), ...totp })
    expect(verdict).toMatchObject({ outcome: 'allow', satisfied_by: ['totp', 'upstream'] })
    // something known there and something known here is one kind
    const password = { authenticated: [{ factor: 'password', at: AT }] }
    expect(judge({ strength: 'two-factors' }, { ...vouched('any'), ...password }).outcome).toBe('challenge')
  })

  test('is as old as the sign-in there', () => {
    expect(judge({ strength: 'two-factors', within: '30m' }, vouched('two-factors')).outcome).toBe('allow')
    expect(judge({ strength: 'two-factors', within: '29m' }, vouched('two-factors')).outcome).toBe('challenge')
    expect(judge({ strength: 'two-factors' }, vouched('two-factors')).auth_time).toBe(
      Date.parse('2026-11-22T08:30:00Z') / 1000,
    )
  })

  test('of unknown age meets no limit of age', () => {
    expect(judge({ within: '12h' }, vouched('any', '')).outcome).toBe('challenge')
    expect(judge({ within: '0s' }, vouched('any', '')).outcome).toBe('challenge')
    expect(judge({}, vouched('any', '')).outcome).toBe('allow')
  })

  test('of unknown age lasts as long as the session may', () => {
    expect(judge({ session: { max: '2m' } }, vouched('any', '')).outcome).toBe('allow')
    expect(judge({ session: { max: '1m' } }, vouched('any', '')).outcome).toBe('challenge')
  })

  test('counts for nothing where it is a program that asks, or nobody', () => {
    const facts = { at: AT, session: vouched('hardware') } as Facts
    expect(decide(rule({}), facts, { policy: 'p' }).outcome).toBe('challenge')
  })
})
