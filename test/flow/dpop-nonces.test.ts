/** The nonces that we check on the short way are the engine's own: it gives none away, so both are computed side by side. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { createNonces } from '../../src/protocol/oidc/dpop.ts'

interface Challenge {
  nextChallenge(): string
  checkChallenge(nonce: string): boolean
}

const SECRET = Buffer.alloc(32, 7)
const challenge = join(import.meta.dirname, '../../node_modules/oidc-provider/lib/helpers/challenge.js')

afterEach(() => {
  vi.useRealTimers()
})

test('minute after minute, from one to the other', async () => {
  const { default: ServerChallenge } = (await import(/* @vite-ignore */ pathToFileURL(challenge).href)) as {
    default: new (secret: Buffer, info: string) => Challenge
  }
  const engine = new ServerChallenge(SECRET, 'DPoP')
  vi.useFakeTimers({ toFake: ['Date'], now: 1_764_547_199_000 })
  const nonces = createNonces({ derive: () => SECRET }, { now: () => Date.now() })
  const given: string[] = []
  for (let minute = 0; minute < 8; minute++) {
    expect(nonces.next()).toBe(engine.nextChallenge())
    given.push(nonces.next())
    for (const nonce of [...given, 'A'.repeat(43), '']) expect(nonces.isGood(nonce)).toBe(engine.checkChallenge(nonce))
    vi.setSystemTime(Date.now() + 60_000)
  }
  expect(given.map((nonce) => nonces.isGood(nonce))).toEqual([...Array(5).fill(false), true, true, true])
})
