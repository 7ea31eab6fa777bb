/** Every way in which something ends before its time, with the tokens that have to be over by it. */
import { formsOf } from '../../demo/browser.ts'
import { JWT_API, OPAQUE_API, type World } from './world.ts'

/** A token, and who can tell that it is over. */
export interface Dying {
  readonly kind: string
  /** By whom the first refusal is waited for. */
  readonly seenBy: 'api' | 'introspection' | 'userinfo' | 'refresh' | 'list'
  /** Whether it is good still, asked once. */
  lives(): Promise<boolean>
}

export interface Way {
  readonly name: string
  /** Gets tokens, all of which live. `revoke`: answers when whoever has revoked is told that it is done. */
  prepare(world: World, refusedByList: (token: string) => Promise<boolean>): Promise<Prepared>
}

export interface Prepared {
  readonly dying: readonly Dying[]
  revoke(): Promise<unknown>
}

type ByList = Parameters<Way['prepare']>[1]

/** A program's, of both kinds, at everybody who looks at them. */
async function ofProgram(world: World, client: Parameters<World['tokenFor']>[0], byList: ByList) {
  const [jwt, opaque] = [await world.tokenFor(client, JWT_API), await world.tokenFor(client, OPAQUE_API)]
  return { jwt, opaque, dying: [...seenAs(world, 'program', jwt, opaque, byList)] }
}

function* seenAs(
  world: World,
  of: string,
  jwt: string | undefined,
  opaque: string | undefined,
  byList: ByList,
): Generator<Dying> {
  if (jwt !== undefined) {
    yield { kind: `JWT, ${of}`, seenBy: 'api', lives: () => world.opens(jwt, JWT_API) }
    yield { kind: `JWT, ${of}`, seenBy: 'list', lives: async () => !(await byList(jwt)) }
  }
  if (opaque !== undefined) {
    yield { kind: `opaque, ${of}`, seenBy: 'api', lives: () => world.opens(opaque, OPAQUE_API) }
    yield { kind: `opaque, ${of}`, seenBy: 'introspection', lives: () => world.isActive(opaque) }
  }
}

/** Somebody's at an app: of one with opaque tokens also what was exchanged for one; with each the refresh token. */
async function ofPerson(world: World, resource: string | undefined, byList: ByList) {
  const person = await world.signedIn(resource)
  const { access, app } = person
  const dying: Dying[] = []
  if (resource === JWT_API) dying.push(...seenAs(world, 'person', access, undefined, byList))
  if (resource === OPAQUE_API) {
    dying.push(...seenAs(world, 'person', undefined, access, byList))
    dying.push(...seenAs(world, 'exchanged', await world.exchanged(access), undefined, byList))
  }
  if (resource === undefined)
    dying.push(
      { kind: 'opaque, person', seenBy: 'userinfo', lives: () => world.tellsOfPerson(access) },
      { kind: 'opaque, person', seenBy: 'introspection', lives: () => world.isActive(access) },
    )
  let refresh = person.refresh
  dying.push({
    kind: 'refresh token',
    seenBy: 'refresh',
    async lives() {
      const { status, body } = await world.refreshes(app, refresh)
      if (typeof body['refresh_token'] === 'string') refresh = body['refresh_token']
      return status === 200
    },
  })
  return { ...person, dying, refreshNow: () => refresh }
}

type Person = Awaited<ReturnType<typeof ofPerson>>

/** With an API of each format, and without one. */
const forPeople = (name: string, revoke: (world: World, person: Person) => Promise<unknown>) =>
  [OPAQUE_API, JWT_API, undefined].map(
    (resource): Way => ({
      name,
      async prepare(world, byList) {
        const person = await ofPerson(world, resource, byList)
        return { dying: person.dying, revoke: () => revoke(world, person) }
      },
    }),
  )

const forPrograms = (name: string, revoke: (world: World, client: string) => Promise<unknown>): Way => ({
  name,
  async prepare(world, byList) {
    const client = await world.program()
    return { dying: (await ofProgram(world, client, byList)).dying, revoke: () => revoke(world, client.id) }
  },
})

const forPartners = (
  name: string,
  revoke: (world: World, partner: Awaited<ReturnType<World['partner']>>) => Promise<unknown>,
): Way => ({
  name,
  async prepare(world, byList) {
    const partner = await world.partner()
    return { dying: (await ofProgram(world, partner, byList)).dying, revoke: () => revoke(world, partner) }
  },
})

/** One token after another, by its client (RFC 7009) or by an administrator. */
const single = (
  name: string,
  end: (world: World, client: Parameters<World['post']>[1], token: string) => Promise<unknown>,
): Way => ({
  name,
  async prepare(world, byList) {
    const client = await world.program()
    const { jwt, opaque, dying } = await ofProgram(world, client, byList)
    return {
      dying,
      revoke: async () => void (await Promise.all([jwt, opaque].map((token) => end(world, client, token)))),
    }
  },
})

/** The button on the account page, pressed in the person's browser. */
async function withdrawConsent({ issuer }: World, { browser, app }: Person): Promise<void> {
  const page = await browser.open(`${issuer}/account`)
  const form = formsOf(page).find(({ action }) => action.pathname === `/account/consents/${app.id}/withdraw`)
  if (!form) throw new Error(`${app.id} is not on the account page`)
  await browser.submit(form)
}

async function endSessions({ house }: World, { personId }: Person): Promise<void> {
  for (const { id } of await house.sessions.ofPerson(personId)) await house.sessions.end(id, 'ended', 'bench')
}

export const WAYS: readonly Way[] = [
  single('its client revokes it (RFC 7009)', (world, client, token) => world.post('revocation', client, { token })),
  single('apis revoke --token', ({ house }, _client, token) => house.endings.revokeToken(token, 'bench')),
  forPrograms('apps remove', ({ house }, id) => house.catalog.apps.remove(id, 'bench')),
  forPrograms('apps rotate-secret', ({ house }, id) => house.catalog.apps.rotateSecret(id, 'bench')),
  forPrograms('apis revoke --client', ({ house }, id) => house.catalog.apps.endTokens(id, 'bench')),
  forPartners('partners end', ({ house }, { id }) => house.catalog.partners.end(id, 'bench')),
  forPartners('a key leaves the contract', (_world, partner) => partner.withdrawKey()),
  ...forPeople('consent withdrawn', withdrawConsent),
  ...forPeople('apis revoke --user --client', ({ house }, { personId, app }) => house.endings.revoke(personId, app.id)),
  ...forPeople('the code comes again', (_world, { redeem }) => redeem()),
  ...forPeople('the refresh token is revoked', (world, { app, refreshNow }) =>
    world.post('revocation', app, { token: refreshNow() }),
  ),
  ...forPeople('people disable', ({ house }, { personId }) => house.people.disable(personId, 'bench')),
  ...forPeople('the session ends', endSessions),
  ...forPeople('apps remove', ({ house }, { app }) => house.catalog.apps.remove(app.id, 'bench')),
]
