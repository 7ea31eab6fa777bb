/** Whatever ends before its time is refused at the next question, everywhere, and stands in the list of those who do not ask. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { type Consumer, createConsumer } from '../../bench/revocation/consumer.ts'
import { WAYS } from '../../bench/revocation/ways.ts'
import { createWorld, JWT_API, OPAQUE_API, POLICIES, type World } from '../../bench/revocation/world.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'

const VERBS = await allVerbs()
const START = Date.UTC(2026, 10, 30, 9)
let gateway: Gateway
let world: World
let consumer: Consumer
beforeAll(async () => {
  // it stands still: everything happens in one second, which is the hardest case for times in whole seconds
  vi.useFakeTimers({ toFake: ['Date'], now: START })
  gateway = await startGateway({
    clock: { now: () => Date.now() },
    policies: POLICIES,
    settings: { proxies: ['127.0.0.1'] },
  })
  world = await createWorld(gateway.issuer, gateway.server.house)
})
afterAll(async () => {
  await gateway?.close()
  vi.useRealTimers()
})
beforeEach(async () => {
  consumer = await createConsumer(gateway.issuer)
})
afterEach(() => void vi.setSystemTime(START))

const byList = async (token: string) => {
  await consumer.poll()
  return consumer.refuses(token)
}

describe('is over at the first question after it, for whoever asks:', () => {
  test.each(WAYS.map((way, i) => [`${way.name} (${i})`, way] as const))('%s', async (_name, way) => {
    const { dying, revoke } = await way.prepare(world, byList)
    for (const { kind, seenBy, lives } of dying) expect([kind, seenBy, await lives()]).toEqual([kind, seenBy, true])
    await revoke()
    for (const { kind, seenBy, lives } of dying) expect([kind, seenBy, await lives()]).toEqual([kind, seenBy, false])
  })
})

type Client = Parameters<World['tokenFor']>[0]
const both = async (client: Client) =>
  [await world.tokenFor(client, JWT_API), await world.tokenFor(client, OPAQUE_API)] as const
/** Whether both are good, for those who ask and those who do not. */
const live = async ([jwt, opaque]: readonly [string, string]) => [
  await world.opens(jwt, JWT_API),
  !(await byList(jwt)),
  await world.opens(opaque, OPAQUE_API),
  await world.isActive(opaque),
]
const ALL = [true, true, true, true]
const NONE = ALL.map(() => false)

describe('new ones live from the first moment, in the second of the end as well', () => {
  test('of a partner that was ended and resumed; those from before stay over', async () => {
    const { partners } = gateway.server.house.catalog
    const partner = await world.partner()
    const before = await both(partner)
    await partners.end(partner.id, 'test')
    await expect(world.tokenFor(partner, JWT_API)).rejects.toThrow('access_denied')
    await partners.resume(partner.id, 'test')
    const after = await both(partner)
    expect([await live(before), await live(after)]).toEqual([NONE, ALL])
    // and where the second was over when it was resumed
    vi.setSystemTime(START + 1000)
    await partners.end(partner.id, 'test')
    vi.setSystemTime(START + 5000)
    await partners.resume(partner.id, 'test')
    const again = await both(partner)
    expect([await live(before), await live(after), await live(again)]).toEqual([NONE, NONE, ALL])
  })

  test('of a program with a new secret, and of one whose tokens were revoked', async () => {
    const { apps } = gateway.server.house.catalog
    const program = await world.program()
    const before = await both(program)
    await apps.endTokens(program.id, 'test')
    const after = await both(program)
    expect([await live(before), await live(after)]).toEqual([NONE, ALL])
    const { clientSecret } = await apps.rotateSecret(program.id, 'test')
    const headers = { authorization: `Basic ${btoa(`${program.id}:${clientSecret}`)}` }
    const renewed = { ...program, proof: () => ({ headers, fields: {} }) }
    expect([await live(after), await live(await both(renewed))]).toEqual([NONE, ALL])
  })
})

describe('nobody else loses anything', () => {
  test('what another key of the same partner got lives on', async () => {
    const partner = await world.partner()
    const [one, other] = [await both(partner), await both(partner.byOther)]
    await partner.withdrawKey()
    expect([await live(one), await live(other)]).toEqual([NONE, ALL])
    await expect(world.tokenFor(partner, JWT_API)).rejects.toThrow('invalid_client')
  })

  test('a secret with an overlap takes nothing along until its predecessor is ended', async () => {
    const { apps } = gateway.server.house.catalog
    const program = await world.program()
    const before = await both(program)
    await apps.rotateSecret(program.id, 'test', 60_000)
    expect(await live(before)).toEqual(ALL)
    await apps.endPreviousSecret(program.id, 'test')
    expect(await live(before)).toEqual(NONE)
  })

  test('a contract or registration that is applied again, or changed elsewhere, ends nothing', async () => {
    const { apps, partners } = gateway.server.house.catalog
    const [partner, program] = [await world.partner(), await world.program()]
    const tokens = [await both(partner), await both(program)] as const
    const contract = await partners.export(partner.id)
    const changed = contract.replace(`name: ${partner.id}`, 'name: Another name')
    expect((await partners.apply([{ file: 'a.yaml', text: changed }], { by: 'test' })).problems).toEqual([])
    const text = `${await apps.export(program.id)}\nowner: somebody\n`
    expect((await apps.apply([{ file: 'b.yaml', text }], { by: 'test' })).problems).toEqual([])
    expect([await live(tokens[0]), await live(tokens[1])]).toEqual([ALL, ALL])
  })

  test('of two sessions of one person, and two apps of one session, only the one that is meant', async () => {
    const person = await world.signedIn(JWT_API)
    const other = await world.signedIn(JWT_API)
    const { endings } = gateway.server.house
    await endings.revoke(person.personId, other.app.id)
    expect([await world.opens(person.access, JWT_API), await world.opens(other.access, JWT_API)]).toEqual([true, true])
    await endings.revoke(person.personId)
    expect([await world.opens(person.access, JWT_API), await world.opens(other.access, JWT_API)]).toEqual([false, true])
  })
})

test('what an app could refresh is over with its tokens, a refresh token of a later day is not', async () => {
  const { apps } = gateway.server.house.catalog
  const { app, refresh } = await world.signedIn(OPAQUE_API)
  await apps.endTokens(app.id, 'test')
  vi.setSystemTime(START + 60_000)
  expect((await world.refreshes(app, refresh)).body['error']).toBe('invalid_grant')
})

describe('`apis revoke`', () => {
  const revoke = async (...words: string[]) => {
    const out: string[] = []
    const code = await runCommand({
      words: ['apis', 'revoke', ...words, '--config', `${gateway.folder}/portico.yaml`],
      verbs: VERBS,
      openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
      out: (line) => out.push(line),
      err: (line) => out.push(line),
    })
    return { code, out: out.join('\n') }
  }
  const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString('utf8'))

  test.each(['client', 'jwt', 'jti', 'opaque'])('ends what a program has, by %s', async (by) => {
    const program = await world.program()
    const tokens = await both(program)
    const named = {
      client: ['--client', program.id],
      jwt: ['--token', tokens[0]],
      jti: ['--token', claimsOf(tokens[0]).jti as string],
      opaque: ['--token', tokens[1]],
    }[by]!
    const { code, out } = await revoke(...named, '--json')
    expect([code, JSON.parse(out).revoked]).toEqual([0, true])
    const over = {
      client: NONE,
      jwt: [false, false, true, true],
      jti: [false, false, true, true],
      opaque: [true, true, false, false],
    }
    expect(await live(tokens)).toEqual(over[by as keyof typeof over])
  })

  test('ends what a partner has, and takes nothing else for one', async () => {
    const [partner, program] = [await world.partner(), await world.program()]
    const tokens = await both(partner)
    expect((await revoke('--partner', program.id)).code).toBe(2)
    expect((await revoke('--partner', partner.id)).code).toBe(0)
    expect(await live(tokens)).toEqual(NONE)
    expect(await live(await both(partner))).toEqual(ALL)
  })

  test.each(['user', 'user and client', 'session', 'grant'])('ends what an app has of a person, by %s', async (by) => {
    const { app, username, access, refresh, redeem: _ } = await world.signedIn(JWT_API)
    const { sid, grant_id } = claimsOf(access)
    const named = {
      user: ['--user', username],
      'user and client': ['--user', username, '--client', app.id],
      session: ['--session', sid],
      grant: ['--grant', grant_id],
    }[by]!
    expect((await revoke(...named)).code).toBe(0)
    expect([await world.opens(access, JWT_API), await byList(access)]).toEqual([false, true])
    expect((await world.refreshes(app, refresh)).body['error']).toBe('invalid_grant')
  })

  test.each([
    [[], 2, 'usage'],
    [['acme'], 2, 'usage'],
    [['--client', 'a', '--token', 'b'], 2, 'usage'],
    [['--client', 'a', '--partner', 'b'], 2, 'usage'],
    [['--client', 'nobody'], 2, 'app-unknown'],
    [['--partner', 'nobody'], 2, 'partner-unknown'],
    [['--user', 'nobody'], 2, 'nobody'],
    [['--session', 'none'], 1, 'nothing was revoked'],
    [['--token', 'a.b.c'], 1, 'nothing was revoked'],
  ])('%j is answered with %d', async (words, code, said) => {
    const answer = await revoke(...words)
    expect(answer.code).toBe(code)
    expect(answer.out).toContain(said)
  })

  test('stands in the trail', async () => {
    const program = await world.program()
    await revoke('--client', program.id)
    const [found] = await gateway.server.house.audit.search({ app: program.id })
    expect(found).toMatchObject({ event: 'tokens-revoked', actor: 'cli', app: program.id })
  })
})

test('the list is short, and entries go once nothing lives that they end', async () => {
  await consumer.poll()
  const { entries } = await gateway.server.house.revocations.current()
  // a hash of 16 characters, a time, and what JSON and base64 add
  expect(consumer.bytes() / entries.length).toBeLessThan(60)
  vi.setSystemTime(START + 86_400_000 * 2)
  expect(await gateway.server.house.revocations.tidy()).toBe(entries.length)
  expect((await gateway.server.house.revocations.current()).entries).toEqual([])
})
