/** `portico serve` as operators run it: a process of its own, which tests end by its id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Manifest } from '#catalog'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import type { NewPerson } from '#directory'
import { openStorage, type Storage } from '#storage'
import { MIGRATIONS, openHouse } from '../../src/house.ts'
import { PASSWORD } from './gateway.ts'
import { POLICIES } from './policies.ts'
import { freePort } from './ports.ts'
import { SHORT_WAYS } from './short-ways.ts'
import { stateBeside } from './state.ts'
import { EMBEDDED_FILE, storageUrl } from './storage.ts'

const root = join(import.meta.dirname, '../..')
export const MAIN = join(root, 'src/portico.js')

export interface Place {
  readonly folder: string
  readonly config: string
  readonly issuer: string
  readonly port: number
  /** Client secrets by app id. */
  readonly secrets: ReadonlyMap<string, string>
  /** Person ids by user name. */
  readonly ids: ReadonlyMap<string, string>
  /** Another settings file beside the first one; answers its path. */
  settings(name: string, more: Readonly<Record<string, unknown>>): string
  /** What is kept here, for a test that looks into it, or damages it. */
  storage(): Promise<Storage>
  remove(): Promise<void>
}

export interface PlaceOptions {
  /** As the run says unless given; `EMBEDDED_FILE` keeps state there as well. */
  readonly storage?: typeof EMBEDDED_FILE
  readonly policies?: Readonly<Record<string, string>>
  readonly settings?: Readonly<Record<string, unknown>>
  readonly people?: readonly NewPerson[]
  readonly apps?: readonly Manifest[]
}

/** A folder in which `serve` can start, with people and apps in its database where any are given. */
export async function makePlace(options: PlaceOptions = {}): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-serve-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  mkdirSync(join(folder, 'policies'))
  for (const [name, text] of Object.entries(options.policies ?? POLICIES))
    writeFileSync(join(folder, 'policies', name), text)
  const embedded = options.storage === EMBEDDED_FILE
  const url = options.storage ?? (await storageUrl(EMBEDDED_FILE))
  const beside = embedded ? undefined : await stateBeside(folder)
  const settings = (name: string, more: Readonly<Record<string, unknown>>): string => {
    const file = join(folder, name)
    const all = {
      issuer,
      listen: `127.0.0.1:${port}`,
      management: { listen: '127.0.0.1:0' },
      // nobody stands in front who would have to look elsewhere first
      drain: '0s',
      storage: { url },
      ...(beside ? { state: { url: beside.url } } : {}),
      secrets: { key_file: 'master.key' },
      // whoever reads what one process prints, or kills it
      workers: 1,
      ...SHORT_WAYS,
      catalog: join(root, 'apps-catalog'),
      ...options.settings,
      ...more,
    }
    writeFileSync(file, JSON.stringify(all, undefined, 2))
    return file
  }
  const config = settings('portico.yaml', {})
  const secrets = new Map<string, string>()
  const ids = new Map<string, string>()
  if (options.people || options.apps) {
    const loaded = loadSettings(config, {})
    if (!loaded.settings) throw new Error(JSON.stringify(loaded.problems))
    const house = await openHouse({ settings: loaded.settings, folder, clock: systemClock, log: silentLog })
    const people = options.people ?? []
    // some at once: of very many a busy machine would not hash the last one in time
    for (let i = 0; i < people.length; i += 50)
      await Promise.all(
        people.slice(i, i + 50).map(async (person) => {
          ids.set(person.username, (await house.people.add({ password: PASSWORD, ...person }, 'test')).id)
        }),
      )
    for (const app of options.apps ?? []) {
      const { clientSecret } = await house.catalog.apps.register(app, 'test')
      if (clientSecret) secrets.set(app.id, clientSecret)
    }
    await house.close()
  }
  return {
    ...{ folder, config, issuer, port, secrets, ids, settings },
    storage: () =>
      openStorage({
        url: url === EMBEDDED_FILE ? `sqlite:${join(folder, 'portico.db')}` : url,
        state: beside,
        ...{ clock: systemClock, log: silentLog, migrations: MIGRATIONS },
      }),
    async remove() {
      await beside?.leave()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface Serving {
  readonly process: ChildProcess
  out(): string
  err(): string
  /** Of the process; `null` where a signal ended it. */
  readonly exited: Promise<number | null>
  /** Resolves when what was printed to standard output matches; fails when the process ends before. */
  printed(what: RegExp): Promise<RegExpMatchArray>
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Root may write everywhere; without these two capabilities it is held to the modes of files like everybody else. */
const MEEK = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all']

/** Runs one command. `meek`: where the test runs as root, the command is not almighty. `main`: that of another version. */
export function portico(
  words: readonly string[],
  options: { readonly meek?: boolean; readonly env?: NodeJS.ProcessEnv; readonly main?: string } = {},
): Serving {
  const before = options.meek && process.getuid!() === 0 ? MEEK : []
  const [program = '', ...args] = [...before, process.execPath, options.main ?? MAIN, ...words]
  const child = spawn(program, args, {
    cwd: root,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  let over = false
  const waiting = new Set<() => void>()
  const tell = () => {
    for (const look of waiting) look()
  }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text
    tell()
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text
    tell()
  })
  const exited = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      over = true
      tell()
      resolve(code)
    }),
  )
  return {
    process: child,
    out: () => out,
    err: () => err,
    exited,
    printed: (what) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = out.match(what)
          if (!found && !over) return
          waiting.delete(look)
          if (found) resolve(found)
          else reject(new Error(`ended without printing ${what}:\n${out}\n${err}`))
        }
        waiting.add(look)
        look()
      }),
    async stop(signal = 'SIGTERM') {
      if (!over) child.kill(signal)
      return exited
    },
  }
}

/** Starts and waits until it answers. */
export async function serve(config: string): Promise<Serving> {
  const serving = portico(['serve', '--config', config])
  await serving.printed(/^ready /m)
  return serving
}
