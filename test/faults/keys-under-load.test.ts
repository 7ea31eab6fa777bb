/**
 * Signing keys and the master key are changed while two processes serve: no request fails, and whoever has the published keys, as
 * apps do, can read every token. The hour before a new key signs, and the day after, go by with the clock of the machine.
 */
import { join } from 'node:path'
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { days, hours, seconds } from '#core/clock'
import { ask } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis.ts'
import { seeded } from '../support/seeded.ts'
import { makePlace, type Place, portico, type Serving } from '../support/serve.ts'
import { makeStepped, type Stepped } from '../support/stepped.ts'
import { APPS, createVisitors, people, type Visitors, whileVisited } from '../support/visitors.ts'

const PEOPLE = 6
const { seed, random } = seeded()

let place: Place
let clock: Stepped
let visitors: Visitors
const both: { port: number; config: string; serving: Serving }[] = []
/** Where requests go, one after the other. */
let ports: number[] = []
let turn = 0
let answered = 0

beforeAll(async () => {
  const sessions = { idle: '12h', max: '24h' }
  place = await makePlace({ people: people(PEOPLE), apps: APPS, settings: { sessions } })
  clock = makeStepped(place.folder)
  for (const port of [place.port, await freePort()]) {
    const config = place.settings(`gateway-${port}.yaml`, { listen: `127.0.0.1:${port}` })
    both.push({ port, config, serving: await clock.serve(config) })
  }
  ports = both.map(({ port }) => port)
  visitors = createVisitors({
    ...{ place, random, people: PEOPLE },
    port: () => ports[turn++ % ports.length]!,
    answered: () => void answered++,
  })
})
afterAll(async () => {
  await Promise.all(both.map(({ serving }) => serving.stop()))
  await place?.remove()
})

async function command(config: string, ...words: string[]): Promise<string> {
  const run = portico([...words, '--config', config], { env: clock.env })
  expect(await run.exited, run.out() + run.err()).toBe(0)
  return run.out()
}
/** Everybody goes on while `work` is done. Answers the ID tokens that were given meanwhile. */
async function underLoad(work: (more: (count: number) => Promise<void>) => Promise<unknown>): Promise<string[]> {
  const before = visitors.tokens.length
  expect(await whileVisited(visitors, () => answered, work), `seed ${seed}`).toEqual([])
  return visitors.tokens.slice(before).flatMap(({ idToken }) => idToken ?? [])
}
const published = async ({ port }: { port: number }) =>
  JSON.parse((await ask(port, { path: '/oauth2/jwks' })).body) as JSONWebKeySet
/** Each by what was published: as an app does that has it and does not ask again. */
async function verifyAll(idTokens: readonly string[], ...known: readonly JSONWebKeySet[]): Promise<void> {
  expect(idTokens.length).toBeGreaterThan(20)
  for (const keys of known) {
    const set = createLocalJWKSet(keys)
    for (const idToken of idTokens) await compactVerify(idToken, set)
  }
}
const kidsOf = (idTokens: readonly string[]) => new Set(idTokens.map((one) => decodeProtectedHeader(one).kid!))
const given: string[] = []
let first: string
let signsFrom: number

test('after `keys rotate` both processes publish the new key, and nobody signs by it whom an app could not read', async () => {
  const known = await Promise.all(both.map(published))
  const idTokens = await underLoad(async (more) => {
    await command(both[0]!.config, 'keys', 'rotate')
    for (const one of both)
      await until(
        () => published(one),
        ({ keys }) => keys.length === 2 * known[0]!.keys.length,
      )
    await more(100)
  })
  await verifyAll(idTokens, ...known, ...(await Promise.all(both.map(published))))
  const [kid, ...others] = kidsOf(idTokens)
  expect(others).toEqual([])
  first = kid!
  given.push(...idTokens)
})

test('when the hour is over both sign by the new key, which every app has had for that long', async () => {
  const known = await Promise.all(both.map(published))
  const { alg } = decodeProtectedHeader(given[0]!)
  const listed = JSON.parse(await command(both[0]!.config, 'keys', 'list', '--json')) as {
    alg: string
    state: string
    signsFrom: number
  }[]
  signsFrom = listed.find((key) => key.alg === alg && key.state === 'upcoming')!.signsFrom
  expect(signsFrom - Date.now()).toBeGreaterThan(hours(1) - seconds(300))
  // nothing is on its way while the hour goes by, but for its last seconds
  for (const once of visitors.onces) if (once.kind === 'code' && once.state === 'held') once.grant.ended = true
  clock.step(Math.floor((signsFrom - Date.now()) / 1000) - 4)
  const idTokens = await underLoad(async (more) => {
    const newest = () => visitors.tokens.findLast(({ idToken }) => idToken)!.idToken!
    await expect.poll(() => decodeProtectedHeader(newest()).kid).not.toBe(first)
    // a process that had not looked yet has by then
    await more(400)
  })
  await verifyAll([...given, ...idTokens], ...known, ...(await Promise.all(both.map(published))))
  expect(kidsOf(idTokens)).toContain(first)
  expect(kidsOf(idTokens).size).toBe(2)
  expect(kidsOf(idTokens.slice(-10)).has(first)).toBe(false)
  given.push(...idTokens)
})

test('another master key on both machines, each started again, and the old one ended', async () => {
  const settings = (port: number) =>
    place.settings(`next-${port}.yaml`, { listen: `127.0.0.1:${port}`, secrets: { key_file: 'next.key' } })
  const idTokens = await underLoad(async (more) => {
    await command(both[0]!.config, 'keys', 'rewrap', '--to', join(place.folder, 'next.key'))
    await more(100)
    for (const one of both) {
      ports = both.flatMap(({ port }) => (port === one.port ? [] : [port]))
      await more(50)
      expect(await one.serving.stop()).toBe(0)
      one.config = settings(one.port)
      one.serving = await clock.serve(one.config)
      ports = both.map(({ port }) => port)
      await more(100)
    }
    await command(both[0]!.config, 'keys', 'rewrap', '--finish')
    await more(100)
  })
  await verifyAll([...given, ...idTokens], ...(await Promise.all(both.map(published))))
  // by the old one nothing opens any more
  const refused = portico(['keys', 'list', '--config', place.config], { env: clock.env })
  expect(await refused.exited).toBe(2)
  expect(refused.err()).toContain('the master key does not open')
})

test('a day and an hour after the new key began to sign, the old one is gone from both, and the new one signs', async () => {
  clock.step(Math.ceil((signsFrom + days(1) + hours(1) - Date.now()) / 1000) + 1)
  const kids = async (one: (typeof both)[number]) => (await published(one)).keys.map(({ kid }) => kid)
  for (const one of both)
    await until(
      () => kids(one),
      (all) => !all.includes(first),
    )
  expect(await command(both[0]!.config, 'keys', 'list')).not.toContain(first)
  // their sessions are over by now
  const later = createVisitors({ place, random, people: PEOPLE, port: () => ports[turn++ % ports.length]! })
  const errors: string[] = []
  let left = 60
  await later.visit(
    () => left-- <= 0,
    (error) => errors.push(String(error)),
  )
  expect([...errors, ...later.faults], `seed ${seed}`).toEqual([])
  const idTokens = later.tokens.flatMap(({ idToken }) => idToken ?? [])
  await verifyAll(idTokens, ...(await Promise.all(both.map(published))))
})
