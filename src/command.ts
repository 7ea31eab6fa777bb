/** The command line on the rooms of this house; importing this file runs the command that was typed. */
import { createLog } from '#audit'
import { runCommand, VERBS } from '#cli'
import { missingFile, openHouse } from './house.ts'
import { serveVerbs } from './serve.ts'

process.exitCode = await runCommand({
  words: process.argv.slice(2),
  verbs: [...serveVerbs, ...VERBS],
  missing: missingFile,
  terminal: process.stderr.isTTY ? process.stderr : undefined,
  // what programs read goes to standard output, what operators read to standard error
  openHouse: ({ settings, folder, clock }) =>
    openHouse({
      settings,
      folder,
      clock,
      log: createLog({ level: settings.log.level === 'info' ? 'warn' : settings.log.level, stream: process.stderr }),
    }),
})
