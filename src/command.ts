/**
 * The command line on the rooms of this house; importing this file runs the command that was typed. Nothing is imported that the command does
 * not need.
 */
import { resolve } from 'node:path'
import { runCommand, verbsFor } from '#cli'
import { missingFile } from './missing.ts'

const words = process.argv.slice(2)
process.exitCode = await runCommand({
  words,
  verbs: await verbsFor(words, [
    { word: 'serve', verbs: async () => (await import('./serve.ts')).serveVerbs },
    { word: 'doctor', verbs: async () => (await import('./doctor.ts')).doctorVerbs },
    { word: 'migrate', verbs: async () => (await import('./migrate.ts')).migrateVerbs },
  ]),
  missing: missingFile,
  terminal: process.stderr.isTTY ? process.stderr : undefined,
  keyboard: process.stdin.isTTY && process.stderr.isTTY ? { input: process.stdin, output: process.stderr } : undefined,
  async openHouse({ settings, folder, clock }) {
    const [{ openHouse }, { createLog }] = await Promise.all([import('./house.ts'), import('#audit')])
    const level = settings.log.level === 'info' ? 'warn' : settings.log.level
    // what programs read goes to standard output, what operators read to standard error
    const log = createLog({ level, stream: process.stderr })
    const house = await openHouse({
      settings,
      folder,
      clock,
      log,
      // those in force; where they cannot be read, `policy check` says why, and no app is refused for it
      async inForce() {
        const [{ policiesOf }, { loadPolicies }] = await Promise.all([import('#access'), import('#policy')])
        const published = await house.versions.find('current')
        return published
          ? await policiesOf(house.versions, published.version)
          : loadPolicies(resolve(folder, settings.policies)).policies
      },
    })
    return house
  },
})
