/** `node --import …/cpu-at-exit.mjs COMMAND`: tells at the end, on standard error, how many seconds of CPU the process used. */
import { writeSync } from 'node:fs'

process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  writeSync(2, `\ncpu ${(user + system) / 1e6}\n`)
})
