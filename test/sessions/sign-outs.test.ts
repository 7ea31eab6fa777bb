import { afterEach, beforeEach, expect, test } from 'vitest'
import { minutes } from '#core/clock'
import { createSignOuts, type SignOuts, type SignOutWay } from '#sessions'
import { openHouse } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
let signOuts: SignOuts
const message: SignOutWay = {
  via: 'oidc',
  async tell({ session, everywhere }, { app, sid }) {
    if (app === 'deaf') return { how: 'never' }
    const row = { app, subject: session.personId, session: session.id, event: 'backchannel-logout' } as const
    return { how: 'message', row: everywhere ? row : { ...row, sid } }
  },
}
beforeEach(async () => {
  house = await openHouse()
  signOuts = createSignOuts({ sessions: house.sessions, outbox: house.outbox, state: house.storage.state })
  signOuts.add(message)
  signOuts.add({ via: 'saml', tell: async () => ({ how: 'browser' }) })
  signOuts.add({ via: 'forward-auth', tell: async () => ({ how: 'at-once' }) })
})
afterEach(() => house.storage.close())

const start = async (personId = 'p1') =>
  (await house.sessions.start({ personId, proofs: [], address: '192.0.2.1' })).session

test('each app of a session is told in the way of its protocol, and what came of it is known', async () => {
  let session = await start()
  for (const app of ['crm', 'erp', 'slow', 'deaf'])
    session = await house.sessions.addApp(session, { app, sid: `${app}-1` })
  session = await house.sessions.addApp(session, { app: 'wiki', sid: '_1', via: 'saml', known: 'name' })
  session = await house.sessions.addApp(session, { app: 'tills', sid: '1', via: 'forward-auth' })
  await house.sessions.end(session.id, 'signed-out', 'p1')
  const states = async () =>
    Object.fromEntries((await signOuts.progress({ session, reason: '' })).map(({ app, state }) => [app, state]))
  const asked = { wiki: 'browser', tills: 'at-once', deaf: 'never' }
  expect(await states()).toEqual({ crm: 'waiting', erp: 'waiting', slow: 'waiting', ...asked })
  await house.outbox.deliver({
    'backchannel-logout': async ({ app }) => (app === 'crm' ? 'done' : app === 'erp' ? 'give-up' : 'retry'),
  })
  expect(await states()).toEqual({ crm: 'confirmed', erp: 'refused', slow: 'trying', ...asked })
  await signOuts.confirm(session.id, 'wiki')
  house.time.now += minutes(1)
  await house.outbox.deliver({ 'backchannel-logout': async () => 'done' })
  expect(await states()).toMatchObject({ slow: 'confirmed', wiki: 'confirmed' })
})

test('whoever tells of an end is told which apps hear nothing of it without a browser', async () => {
  let session = await start()
  for (const [app, via] of [
    ['crm', 'oidc'],
    ['deaf', 'oidc'],
    ['wiki', 'saml'],
    ['tills', 'forward-auth'],
  ] as const)
    session = await house.sessions.addApp(session, { app, sid: `${app}-1`, via })
  expect(await signOuts.tell({ session, reason: 'person-merged' })).toEqual(['deaf', 'wiki'])
})

test('the end of everything of a person is said once to each app, without a session', async () => {
  for (let i = 0; i < 3; i++) await house.sessions.addApp(await start(), { app: 'crm', sid: `s${i}` })
  await house.sessions.addApp(await start('p2'), { app: 'crm', sid: 's3' })
  await house.sessions.endAll('p1', 'ended-by-administrator', 'cli')
  const sent: unknown[] = []
  await house.outbox.deliver({
    'backchannel-logout': async ({ subject, sid }) => {
      sent.push([subject, sid])
      return 'done'
    },
  })
  expect(sent).toEqual([['p1', undefined]])
})

test('where one session stays, the others are named one by one', async () => {
  const kept = await start()
  for (let i = 0; i < 2; i++) await house.sessions.addApp(await start(), { app: 'crm', sid: `s${i}` })
  await house.sessions.endAll('p1', 'password-changed', 'p1', kept.id)
  const sent: unknown[] = []
  await house.outbox.deliver({
    'backchannel-logout': async ({ sid }) => {
      sent.push(sid)
      return 'done'
    },
  })
  expect(sent.sort()).toEqual(['s0', 's1'])
})

test('an app that was opened by two protocols hears by both', async () => {
  let session = await start()
  session = await house.sessions.addApp(session, { app: 'crm', sid: 's' })
  session = await house.sessions.addApp(session, { app: 'crm', sid: 's', via: 'saml' })
  expect(session.apps).toHaveLength(2)
  expect(await house.sessions.addApp(session, { app: 'crm', sid: 's', via: 'saml' })).toBe(session)
})

test('what an app said to the end of everything is known of each session, and says nothing of the next end', async () => {
  const sessions = []
  for (let i = 0; i < 2; i++) sessions.push(await house.sessions.addApp(await start(), { app: 'crm', sid: `s${i}` }))
  await house.sessions.endAll('p1', 'signed-out', 'p1')
  const all = sessions.map((session) => ({ session, reason: 'signed-out', everywhere: true as const }))
  const states = async () => (await Promise.all(all.map(signOuts.progress))).map(([one]) => one!.state)
  expect(await states()).toEqual(['waiting', 'waiting'])
  await house.outbox.deliver({ 'backchannel-logout': async () => 'done' })
  expect(await states()).toEqual(['confirmed', 'confirmed'])
  // one session's own end is another matter
  expect(await signOuts.progress({ session: sessions[0]!, reason: 'signed-out' })).toEqual([
    { app: 'crm', state: 'waiting' },
  ])
  await house.sessions.addApp(await start(), { app: 'crm', sid: 's2' })
  await house.sessions.endAll('p1', 'signed-out', 'p1')
  expect(await states()).toEqual(['waiting', 'waiting'])
})

test('an app that was opened twice stands as it does where it stands worst', async () => {
  signOuts.add({ via: 'saml', tell: async () => ({ how: 'browser' }) })
  let session = await house.sessions.addApp(await start(), { app: 'wiki', sid: 's', via: 'forward-auth' })
  session = await house.sessions.addApp(session, { app: 'wiki', sid: 's', via: 'saml' })
  expect(await signOuts.progress({ session, reason: '' })).toEqual([{ app: 'wiki', state: 'browser' }])
})
