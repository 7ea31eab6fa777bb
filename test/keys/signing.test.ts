import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet, type JWK } from 'jose'
import { sql } from 'kysely'
import { afterAll, afterEach, expect, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import { silentLog } from '#core/log'
import { type Alg, type Keys, keysMigrations, openKeys } from '#keys'
import { openStorage, type Storage } from '#storage'

const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const opened: Storage[] = []
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close()
})

const START = 1_800_000_000_000
let count = 0
/** A storage with its own clock; every `again()` is another process on it. */
function place(masterKey = randomBytes(32)) {
  const time = { now: START }
  const clock = { now: () => time.now }
  const file = join(folder, `keys-${count++}.db`)
  const events: string[] = []
  const audit = {
    record: async (event: string, fields: { key: string; reason: string }) => {
      events.push(`${event} ${fields.reason}`)
    },
  }
  const again = async (key = masterKey): Promise<Keys> => {
    const storage = await openStorage({ url: `sqlite:${file}`, clock, log: silentLog, migrations: keysMigrations })
    opened.push(storage)
    return openKeys({ storage, clock, log: silentLog, audit, masterKey: key })
  }
  return { time, file, events, again }
}
async function house() {
  const made = place()
  return { ...made, keys: await made.again() }
}
const states = (keys: Keys, alg: Alg) => keys.signing.list().flatMap((key) => (key.alg === alg ? [key.state] : []))
const signer = (keys: Keys, alg: Alg) => keys.signing.signers().find((one) => one.alg === alg)!

/** A compact JWS (RFC 7515 §7.1). */
async function sign(keys: Keys, alg: Alg): Promise<string> {
  const { kid, sign: signature } = signer(keys, alg)
  const encoded = (text: string) => Buffer.from(text).toString('base64url')
  const signed = `${encoded(JSON.stringify({ alg, kid }))}.${encoded('hello')}`
  return `${signed}.${(await signature(Buffer.from(signed))).toString('base64url')}`
}
const verify = (token: string, jwks: { keys: JWK[] }) => compactVerify(token, createLocalJWKSet(jwks))

test('the first start makes one signing key of each algorithm, and later starts keep them', async () => {
  const { keys, again, events } = await house()
  expect(keys.signing.list().map(({ alg, state }) => [alg, state])).toEqual([
    ['ES256', 'signing'],
    ['RS256', 'signing'],
    ['EdDSA', 'signing'],
  ])
  expect(events.sort()).toEqual(['key-made ES256', 'key-made EdDSA', 'key-made RS256'])
  const later = await again()
  expect(later.signing.list()).toEqual(keys.signing.list())
  for (const { alg } of keys.signing.list())
    await expect(verify(await sign(later, alg), keys.signing.publicJwks())).resolves.toBeDefined()
  expect(events).toHaveLength(3)
})

test('kids are RFC 7638 thumbprints, and the public set holds no private member', async () => {
  const { keys } = await house()
  const published = keys.signing.publicJwks().keys
  expect(published).toHaveLength(3)
  for (const jwk of published) {
    expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk))
    expect(jwk.use).toBe('sig')
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(jwk).not.toHaveProperty(member)
  }
  expect(published.find(({ alg }) => alg === 'RS256')!.n).toHaveLength(342) // 2048 bits
})

test.each(['ES256', 'RS256', 'EdDSA'] as const)('what %s signs verifies with the public set', async (alg) => {
  const { keys } = await house()
  await expect(verify(await sign(keys, alg), keys.signing.publicJwks())).resolves.toBeDefined()
})

test('private keys lie in the database sealed', async () => {
  const { keys, file } = await house()
  const rows = await sql<{ kid: string; private_sealed: string }>`select * from signing_keys`.execute(
    opened[0]!.records,
  )
  const secrets = rows.rows.map(
    ({ kid, private_sealed: sealed }) => JSON.parse(keys.unseal(sealed, `signing-key:${kid}`).toString()).d as string,
  )
  expect(secrets).toHaveLength(3)
  await opened.splice(0)[0]!.close()
  const bytes = readFileSync(file).toString('latin1')
  expect(bytes).toContain(keys.signing.list()[0]!.kid)
  for (const secret of secrets) {
    expect(bytes).not.toContain(secret)
    expect(bytes).not.toContain(Buffer.from(secret, 'base64url').toString('latin1'))
  }
})

test('another master key, or a changed row, stops the start with a sentence', async () => {
  const { again } = await house()
  const sentence =
    'the master key does not open the stored signing keys; give the one this database was made with, or the one it was changed to'
  await expect(again(randomBytes(32))).rejects.toMatchObject({ code: 'sealed-record-invalid', detail: sentence })
  const { again: reopen } = await house()
  const swap = sql`update signing_keys set private_sealed = (select private_sealed from signing_keys where alg = 'EdDSA') where alg = 'ES256'`
  await swap.execute(opened.at(-1)!.records)
  await expect(reopen()).rejects.toMatchObject({ code: 'sealed-record-invalid' })
})

test('a successor is published first, signs after an hour, and its predecessor stays until the last token has expired', async () => {
  const { keys, time, events } = await house()
  const old = signer(keys, 'ES256').kid
  const [next] = await keys.signing.rotate('ES256')
  expect(next).toMatchObject({ alg: 'ES256', state: 'upcoming', signsFrom: START + hours(1) })
  expect(states(keys, 'ES256')).toEqual(['signing', 'upcoming'])
  expect(states(keys, 'RS256')).toEqual(['signing'])
  expect(events.slice(3)).toEqual(['key-made ES256', 'key-rotated ES256'])

  time.now = START + hours(1) - 1
  expect(signer(keys, 'ES256').kid).toBe(old)
  expect(keys.signing.publicJwks().keys.map(({ kid }) => kid)).toContain(next!.kid)
  time.now += 1
  expect(signer(keys, 'ES256').kid).toBe(next!.kid)
  expect(states(keys, 'ES256')).toEqual(['signing', 'retiring'])
  time.now = START + hours(26) - 1
  expect(states(keys, 'ES256')).toEqual(['signing', 'retiring'])
  time.now += 1
  expect(states(keys, 'ES256')).toEqual(['signing'])
})

test('a key that is gone loses its private part in the database, once, and the trail says so', async () => {
  const { keys, again, time, events } = await house()
  await keys.signing.rotate()
  const other = await again()
  time.now = START + hours(26)
  await Promise.all([keys.signing.refresh(), other.signing.refresh()])
  const rows = await sql<{ n: number }>`select count(*) as n from signing_keys where private_sealed is null`.execute(
    opened[0]!.records,
  )
  expect(rows.rows).toEqual([{ n: 3 }])
  expect(events.filter((event) => event.startsWith('key-retired'))).toHaveLength(3)
  expect((await again()).signing.list()).toHaveLength(3)
})

test('rotating again while a successor waits makes no third key, however many ask at once', async () => {
  const { keys, again } = await house()
  const other = await again()
  const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 ? keys : other).signing.rotate('EdDSA')))
  expect(new Set(answers.map(([key]) => key!.kid)).size).toBe(1)
  await keys.signing.refresh()
  expect(states(keys, 'EdDSA')).toEqual(['signing', 'upcoming'])
})

test('refresh says whether the keys to be used have changed: by other processes, by time, or not', async () => {
  const { keys, again, time } = await house()
  expect(await keys.signing.refresh()).toBe(false)
  const other = await again()
  await other.signing.rotate('RS256')
  expect(keys.signing.list()).toHaveLength(3)
  expect(await keys.signing.refresh()).toBe(true)
  expect(keys.signing.list()).toHaveLength(4)
  expect(await keys.signing.refresh()).toBe(false)
  time.now += hours(1)
  expect(await keys.signing.refresh()).toBe(true)
  time.now += minutes(1)
  expect(await keys.signing.refresh()).toBe(false)
  time.now += hours(25)
  expect(await keys.signing.refresh()).toBe(true)
  expect(keys.signing.list()).toHaveLength(3)
})

test('three processes that start at once on an empty storage share one set of keys', async () => {
  const { again } = place()
  const together = await Promise.all([again(), again(), again()])
  const sets = together.map((keys) => keys.signing.list().map(({ kid }) => kid))
  expect(sets[0]).toHaveLength(3)
  expect(sets[1]).toEqual(sets[0])
  expect(sets[2]).toEqual(sets[0])
})

test('no token fails to verify while keys rotate: relying parties cache the set for an hour, tokens live for a day', async () => {
  const { keys, time } = await house()
  let cached = { at: time.now, jwks: keys.signing.publicJwks() }
  const tokens: { token: string; until: number }[] = []
  for (let step = 0; step < 120; step++) {
    // this relying party is as lazy as it may be, and always looks just before the rotation
    if (time.now - cached.at >= hours(1)) cached = { at: time.now, jwks: keys.signing.publicJwks() }
    if (step % 30 === 9) await keys.signing.rotate('ES256')
    await keys.signing.refresh()
    tokens.push({ token: await sign(keys, 'ES256'), until: time.now + hours(24) })
    for (const { token, until } of tokens) if (until > time.now) await verify(token, cached.jwks)
    time.now += minutes(20)
  }
  expect(new Set(tokens.map(({ token }) => JSON.parse(atob(token.split('.')[0]!)).kid)).size).toBeGreaterThan(2)
})

test('a clock that was set back leaves every algorithm with one key that signs', async () => {
  const { keys, time } = await house()
  await keys.signing.rotate('ES256')
  time.now = START - hours(5)
  expect(await sign(keys, 'ES256')).toBeTruthy()
  expect(states(keys, 'ES256')).toEqual(['signing', 'upcoming'])
})

test('an algorithm we do not have is refused', async () => {
  const { keys } = await house()
  await expect(keys.signing.rotate('none' as Alg)).rejects.toMatchObject({ code: 'input-invalid' })
})
