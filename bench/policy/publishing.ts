/**
 * From a publication to the moment in which every process decides by it: two servers on one database, `policy publish` beside
 * them, and a machine that asks both for a token until the answer is the other one.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../load/flows.ts'
import { fill, MACHINES, MAIN, writeFolder } from '../portico-folder.ts'
import { freePort, LOAD_CORE, type Running, SERVER_CORE, start } from '../processes.ts'
import { atMost, type Measured } from '../verdict.ts'
import { inFresh } from './fresh.ts'
import type { Options } from './options.ts'
import { FIFTY, RULES, SITES, writeWorld } from './world.ts'

const LONGEST = 1000
const LOOK_EVERY = 10
const PATIENCE = 60_000

interface Case {
  readonly name: string
  readonly large: boolean
  /** What is another text in each publication, besides the policy of the machine. */
  readonly changes: (file: string) => boolean
}

const CASES: readonly Case[] = [
  { name: 'the shipped policies', large: false, changes: () => false },
  { name: `${FIFTY.length * RULES} rules, ${SITES} sites, one file changed`, large: true, changes: () => false },
  { name: `${FIFTY.length * RULES} rules, ${SITES} sites, every file changed`, large: true, changes: () => true },
]

interface Live {
  /** Milliseconds from the publication until the last process decided by it. */
  readonly live: number
  /** The longest that anybody waited for an answer meanwhile. */
  readonly waited: number
}

interface Pair {
  readonly candidate: string
  readonly file: string
  readonly targets: readonly Target[]
  stop(): Promise<void>
}

async function startPair(place: string, large: boolean): Promise<Pair> {
  const ports = [await freePort(), await freePort()]
  const file = writeFolder(place, { port: ports[0]!, managementPort: await freePort() })
  if (large) writeWorld(join(place, 'policies'), { names: FIFTY, rules: RULES, sites: SITES })
  const first = await fill(file, ports[0]!, 'ES256')
  const settings = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  const issuer = `http://127.0.0.1:${ports[1]}`
  const other = { ...settings, issuer, listen: `127.0.0.1:${ports[1]}`, management: { listen: '127.0.0.1:0' } }
  const second = join(place, 'second.yaml')
  writeFileSync(second, JSON.stringify(other))
  const servers: Running[] = []
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())))
  try {
    for (const [index, config] of [file, second].entries()) {
      const args = [MAIN, 'serve', '--config', config]
      const core = index === 0 ? SERVER_CORE : LOAD_CORE
      servers.push(await start({ args, port: ports[index]!, log: join(place, `log-${index}`), folder: place, core }))
    }
  } catch (error) {
    await stop()
    throw error
  }
  const candidate = join(place, 'candidate')
  cpSync(join(place, 'policies'), candidate, { recursive: true })
  return { candidate, file, targets: [first, { ...first, issuer }], stop }
}

/** 200 where the machine gets its token. */
async function answerOf({ issuer, machine }: Target): Promise<number> {
  const credentials = Buffer.from(`${machine.id}:${machine.secret}`).toString('base64')
  const response = await fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  await response.arrayBuffer()
  return response.status
}

/** Asks until the answer is that one. */
async function awaitAnswer(target: Target, status: number): Promise<{ at: number; waited: number }> {
  const until = performance.now() + PATIENCE
  for (let waited = 0; performance.now() < until; ) {
    const began = performance.now()
    const answer = await answerOf(target)
    waited = Math.max(waited, performance.now() - began)
    if (answer === status) return { at: performance.timeOrigin + performance.now(), waited }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY))
  }
  throw new Error(`${target.issuer} never answered ${status}`)
}

async function publishOnce({ candidate, file, targets }: Pair, number: number, { changes }: Case): Promise<Live> {
  const open = number % 2 === 0
  const machines = open ? MACHINES : MACHINES.replace('client_secret_basic, ', '')
  writeFileSync(join(candidate, 'machines.yaml'), machines)
  for (const name of readdirSync(candidate).filter((one) => one.startsWith('large-') && changes(one))) {
    const text = readFileSync(join(candidate, name), 'utf8').replace(/(# \d+\n)?$/, `# ${number}\n`)
    writeFileSync(join(candidate, name), text)
  }
  const asked = targets.map((target) => awaitAnswer(target, open ? 200 : 400))
  const args = [MAIN, 'policy', 'publish', '--config', file, '--policies', candidate, '--json']
  const [{ out }, ...answers] = await Promise.all([inFresh(args), ...asked])
  const { publication } = JSON.parse(out) as { publication: { at: number } }
  return {
    live: Math.max(...answers.map(({ at }) => at)) - publication.at,
    waited: Math.max(...answers.map(({ waited }) => waited)),
  }
}

export async function publishing({ folder, quick, say }: Options): Promise<Measured> {
  const figures: Record<string, readonly Live[]> = {}
  for (const [index, one] of CASES.entries()) {
    say(`publishing: ${one.name}`)
    const pair = await startPair(join(folder, `publish-${index}`), one.large)
    try {
      const times: Live[] = []
      for (let number = 1; number <= (quick ? 2 : 6); number++) times.push(await publishOnce(pair, number, one))
      figures[one.name] = times
    } finally {
      await pair.stop()
    }
  }
  const verdicts = Object.entries(figures).map(([name, times]) => {
    const [live, waited] = [Math.max(...times.map((one) => one.live)), Math.max(...times.map((one) => one.waited))]
    const verdict = atMost(`publish to live on two processes, slowest of ${times.length}: ${name}`, live, LONGEST, 'ms')
    return { ...verdict, is: `${verdict.is}; nobody waited longer than ${waited.toFixed(0)} ms for an answer` }
  })
  return { figures, verdicts }
}
