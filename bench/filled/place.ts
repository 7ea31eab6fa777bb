/** A folder of the bench with so many apps, people, sessions and receipts in it, as after months. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeManifests } from '../apps/world.ts'
import { openFlows, type Target } from '../load/flows.ts'
import { inFresh } from '../policy/fresh.ts'
import { MAIN } from '../portico-folder.ts'
import { openRooms } from '../rooms.ts'
import { PEOPLE } from '../subjects.ts'
import type { Server } from '../throughput.ts'
import { type Amount, fill } from './fill.ts'

const SAMPLE = 'user0'

/** `running` is a server on this settings file, and is stopped. */
export async function fillPlace(
  { file, target, running }: Server & { readonly file: string },
  { apps, ...amount }: Amount & { readonly apps: number },
): Promise<void> {
  const folder = dirname(file)
  if (amount.sessions > 0) {
    const flows = await openFlows(JSON.parse(readFileSync(target, 'utf8')) as Target)
    const connection = flows.connect()
    const { browser } = await flows.signIn(connection, 0, flows.target.web)
    await flows.silent(browser, flows.target.web)
    connection.close()
  }
  await running.stop()
  if (apps > 0) {
    const manifests = await writeManifests(join(folder, 'manifests'), apps)
    await inFresh([MAIN, 'apps', 'apply', manifests, '--config', file])
  }
  await sealAll(file)
  fill(join(folder, 'portico.db'), SAMPLE, PEOPLE, amount)
}

/** So that receipts which are put before those that are there count as sealed, as months later they would be. */
async function sealAll(file: string): Promise<void> {
  const house = await openRooms(file)
  try {
    await house.seals.seal(true)
  } finally {
    await house.close()
  }
}
