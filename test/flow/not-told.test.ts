/** A merge of two people in whose sessions apps were opened that only a browser could tell: the trail names them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'

let gateway: Gateway
const app = (id: string, more: object) => ({
  id,
  name: id,
  policy: 'plain',
  audience: ['staff'],
  oidc: { redirect_uris: ['http://127.0.0.1:9/cb'], ...more },
})

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: ['zoya', 'sam'].map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [
      app('browser-only', { frontchannel_logout_uri: 'http://127.0.0.1:9/bye' }),
      app('told', { backchannel_logout_uri: 'http://127.0.0.1:9/back' }),
      app('deaf', {}),
    ] as never,
  })
})
afterAll(() => gateway?.close())

test('apps that hear nothing of a merge are named in the trail, and no others', async () => {
  const { sessions, endings, audit } = gateway.server.house
  const [zoya, sam] = [gateway.ids.get('zoya')!, gateway.ids.get('sam')!]
  let { session } = await sessions.start({ personId: zoya, proofs: [], address: '192.0.2.1' })
  for (const id of ['browser-only', 'told', 'deaf'])
    session = await sessions.addApp(session, { app: id, sid: `${id}-1`, via: 'oidc' })
  await endings.become(zoya, sam)
  const said = await audit.search({ event: 'app-not-told' })
  expect(said.map((one) => [one.app, one.subject, one.session, one.reason]).sort()).toEqual(
    ['browser-only', 'deaf'].map((id) => [id, zoya, session.id, 'person-merged']),
  )
  expect((await sessions.byId(session.id))?.personId).toBe(sam)
})
