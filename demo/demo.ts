/**
 * `npm run demo`: the gateway with Kestrel Mobile, a fictitious retailer, and sample apps on the next ports.
 * `npm run demo -- --tour` walks through it over HTTP, prints each step, stops everything and says by its exit code
 * whether every step held. Writes only below `data/demo`.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createLog } from '#audit'
import { loadSettings } from '#config'
import { startServer } from '../src/server.ts'
import { PARTNER, sampleApps, seedApps } from './apps.ts'
import { OUTSIDE_ADDRESS, startOutside } from './outside.ts'
import { PASSWORD, PEOPLE, seedPeople } from './people.ts'
import { copyPolicies } from './policies.ts'
import { startSampleApp } from './sample-app.ts'
import { tour } from './tour.ts'

const PORT = 3000
const OUTSIDE_PORT = 3009
const root = join(import.meta.dirname, '..')
const issuer = `http://localhost:${PORT}`
const touring = process.argv.includes('--tour')

const loaded = loadSettings(join(import.meta.dirname, 'portico.yaml'))
if (!loaded.settings) throw new Error(loaded.problems.map((problem) => problem.message).join('; '))
// every demo starts with the same people and nobody signed in
rmSync(join(root, 'data/demo'), { recursive: true, force: true })
copyPolicies(join(root, 'data/demo/policies'))

const stops: (() => Promise<void>)[] = []
const stop = async () => {
  for (const end of stops.reverse()) await end()
}

try {
  const server = await startServer({
    settings: loaded.settings,
    folder: loaded.folder,
    log: createLog({ level: 'warn' }),
    follow: !touring,
  })
  stops.push(() => server.close())
  await seedPeople(server.house)
  const apps = sampleApps(PORT)
  const secrets = await seedApps(server.house, apps)
  const outside = await startOutside(OUTSIDE_PORT, PORT)
  stops.push(() => outside.close())
  for (const app of apps) {
    const running = await startSampleApp(app, {
      issuer,
      outside: `http://localhost:${OUTSIDE_PORT}`,
      clientSecret: secrets.get(app.id)!,
    })
    stops.push(() => running.close())
  }
  const place = {
    issuer,
    outside: `http://localhost:${OUTSIDE_PORT}`,
    apps,
    partner: { id: PARTNER, secret: secrets.get(PARTNER)! },
  }

  if (touring) {
    process.exitCode = (await tour(place)) ? 0 : 1
    await stop()
  } else {
    console.log(`
Kestrel Mobile, a fictitious retailer. Everybody's password: ${PASSWORD}

${PEOPLE.map(({ username, what }) => `  ${username.padEnd(6)} ${what}`).join('\n')}

What to try
  1. Sign in as sam at ${issuer} and add a passkey or an authenticator app on "My account".
  2. Open the apps: nobody asks again.
${apps.map((app) => `       http://localhost:${app.port}  ${app.name}: ${app.line}`).join('\n')}
  3. SIM swap is risky: it asks for a second way to confirm.
  4. Be outside the store (as if from ${OUTSIDE_ADDRESS}): http://localhost:${apps[3]!.port}/?outside
     SIM swap stays closed there, and says why, with a reference. Then look at it as the helpdesk does:
       npx portico policy explain --receipt REFERENCE --config demo/portico.yaml
  5. The partner's program gets a token; of the scopes it asks for, the one that its rule allows:
       curl -u ${PARTNER}:${place.partner.secret} -d grant_type=client_credentials -d 'scope=orders:read orders:delete' ${issuer}/oauth2/token

Ctrl-C stops everything.`)
    console.log(`ready ${issuer}`)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop())
  }
} catch (error) {
  console.error(`the demo cannot run: ${(error as Error).message}`)
  process.exitCode = 2
  await stop()
}
