/** A gateway in a process of its own whose clock is somebody else's (`clocked.ts`). */
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { startServer } from '../../src/server.ts'

const [file, start] = process.argv.slice(2)
let time = Number(start)
const { settings, folder, problems } = loadSettings(file, {})
if (!settings) throw new Error(JSON.stringify(problems))
const server = await startServer({ settings, folder, log: silentLog, clock: { now: () => time } })

process.on('message', async ({ to, look, tick }: { to: number; look?: boolean; tick?: boolean }) => {
  time = to
  if (look) await server.look()
  if (tick) await server.tick()
  process.send!('done')
})
process.on('disconnect', () => process.exit(0))
process.send!('ready')
