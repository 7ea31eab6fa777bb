/** A retailer before its shift: thousands of stores, people with passkeys and people with passwords, one app to open. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Authenticator, createAuthenticator } from '../../test/support/authenticator.ts'
import { type Ports, writeFolder } from '../portico-folder.ts'
import { openRooms } from '../rooms.ts'
import { PASSWORD, REDIRECT_URI } from '../subjects.ts'

export const STORES = 7_000
/** Of the people; the others have passwords. */
export const WITH_PASSKEYS = 0.7

export interface Employee {
  readonly username: string
  /** Of the store that they work in. */
  readonly address: string
  readonly authenticator: Authenticator | undefined
}

export interface World {
  readonly file: string
  readonly issuer: string
  readonly secret: string
  readonly people: readonly Employee[]
}

/** Store `n` has a /26 of its own. */
const addressIn = (n: number, host: number) => `10.${n >> 10}.${(n >> 2) & 255}.${(n & 3) * 64 + host}`

export async function createWorld(folder: string, ports: Ports, count: number): Promise<World> {
  const file = writeFolder(folder, ports)
  const stores = Array.from({ length: STORES }, (_, n) => `${addressIn(n, 0)}/26,store-${n},Store ${n}\n`)
  appendFileSync(join(folder, 'policies/networks/stores.csv'), stores.join(''))
  // passkeys are for names: none is for an address (WebAuthn §5.1.3)
  const issuer = `http://localhost:${ports.port}`
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), issuer }))
  const house = await openRooms(file)
  try {
    const people: Employee[] = []
    for (let n = 0; n < count; n++) {
      const username = `user${n}`
      const byPasskey = (n % 10) / 10 < WITH_PASSKEYS
      const groups = ['staff', 'store']
      const { id } = await house.people.add(
        { username, name: username, groups, ...(byPasskey ? {} : { password: PASSWORD }) },
        'bench',
      )
      let authenticator: Authenticator | undefined
      if (byPasskey) {
        authenticator = createAuthenticator({ rpId: 'localhost', origin: issuer })
        const about = { personId: id, username, name: username, conversation: username }
        const options = await house.factors.beginEnrolment('passkey', about)
        await house.factors.finishEnrolment('passkey', authenticator.create(options), about)
      }
      people.push({ username, address: addressIn((n * 37) % STORES, 1 + (n % 60)), authenticator })
    }
    const manifest = {
      ...{ id: 'web', name: 'web', policy: 'store-apps', audience: ['store'], tags: ['store'], first_party: true },
      oidc: { redirect_uris: [REDIRECT_URI], scopes: ['openid', 'profile'], id_token_signed_response_alg: 'ES256' },
    }
    const applied = await house.catalog.apps.apply([{ file: 'web.yaml', text: JSON.stringify(manifest) }], {
      by: 'bench',
    })
    if (applied.problems.length > 0) throw new Error(JSON.stringify(applied.problems))
    return { file, issuer, secret: applied.changes[0]!.clientSecret!, people }
  } finally {
    await house.close()
  }
}
