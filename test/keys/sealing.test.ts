import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

const masterKey = randomBytes(32)
const audit = { record: async () => {} }

async function open(key: Buffer) {
  const storage = await openStorage({
    url: await emptyStorageUrl(),
    clock: systemClock,
    log: silentLog,
    migrations: keysMigrations,
  })
  const keys = await openKeys({ storage, clock: systemClock, log: silentLog, audit, masterKey: key })
  await storage.close()
  return keys
}
const keys = await open(masterKey)
const refused = expect.objectContaining({ code: 'sealed-record-invalid', status: 500 })
const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return 'nothing was thrown'
}

test('what was sealed for a record opens for that record, byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, id) => {
      expect(keys.unseal(keys.seal(Buffer.from(bytes), id), id)).toEqual(Buffer.from(bytes))
    }),
  )
  expect(keys.unseal(keys.seal('пароль 🔑', 'totp:1'), 'totp:1').toString()).toBe('пароль 🔑')
})

test('a sealed text opens for no other record and under no other master key', async () => {
  const sealed = keys.seal('secret', 'totp:1')
  expect(thrown(() => keys.unseal(sealed, 'totp:2'))).toEqual(refused)
  const other = await open(randomBytes(32))
  expect(thrown(() => other.unseal(sealed, 'totp:1'))).toEqual(refused)
})

test('a sealed text with any character changed, cut or added is refused, never misread', () => {
  const sealed = keys.seal('a secret of some length', 'totp:1')
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...'Aa0_-=. é'), (at, instead) => {
      fc.pre(sealed[at] !== instead)
      const changed = sealed.slice(0, at) + instead + sealed.slice(at + 1)
      expect(thrown(() => keys.unseal(changed, 'totp:1'))).toEqual(refused)
    }),
    { numRuns: 500 },
  )
  for (const text of ['', 's1.', 's2.AAAA', sealed.slice(0, -1), `${sealed}A`, `${sealed}=`, ` ${sealed}`]) {
    expect(
      thrown(() => keys.unseal(text, 'totp:1')),
      text,
    ).toEqual(refused)
  }
})

test('the same secret sealed twice looks different, and its text does not show', () => {
  const [one, two] = [keys.seal('visible', 'r'), keys.seal('visible', 'r')]
  expect(one).not.toBe(two)
  expect(one).not.toContain(Buffer.from('visible').toString('base64url'))
})

// that they are the same in every process: root.test.ts
test('derived keys stay the same, and differ by label and master key', async () => {
  expect(keys.derive('cookies')).toEqual(keys.derive('cookies'))
  expect(keys.derive('cookies')).toHaveLength(32)
  expect(keys.derive('cookies', 64)).toHaveLength(64)
  expect(keys.derive('cookies')).not.toEqual(keys.derive('cookie'))
  expect((await open(randomBytes(32))).derive('cookies')).not.toEqual(keys.derive('cookies'))
})
