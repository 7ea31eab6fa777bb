/** Kestrel Mobile on free ports: a whole gateway with the shipped policies, and real apps that sign people in with it. */
import type { Page } from 'playwright-core'
import type { NewPerson } from '#directory'
import { type SampleApp, sampleApps, seedApps } from '../../demo/apps.ts'
import { type RunningApp, startSampleApp } from '../../demo/sample-app.ts'
import { type Gateway, PASSWORD, startGateway } from './gateway.ts'
import { freePort } from './ports.ts'

export interface Kestrel {
  readonly gateway: Gateway
  readonly issuer: string
  readonly apps: readonly SampleApp[]
  /** Where the app answers. */
  at(app: string, path?: string): string
  /** Adds somebody of the store floor; nobody else has met them yet. */
  hire(person?: Partial<NewPerson>): Promise<Hired>
  close(): Promise<void>
}

export interface Hired {
  readonly id: string
  readonly username: string
  readonly name: string
}

export async function startKestrel(
  options: {
    readonly settings?: Readonly<Record<string, unknown>>
    /** Instead of the demo's four. */
    readonly apps?: readonly Omit<SampleApp, 'port'>[]
  } = {},
): Promise<Kestrel> {
  const gateway = await startGateway({ settings: options.settings ?? {} })
  const { house } = gateway.server
  const { issuer } = gateway
  const running: RunningApp[] = []
  const apps: SampleApp[] = []
  let hired = 0

  async function close(): Promise<void> {
    for (const app of running) await app.close()
    await gateway.close()
  }

  try {
    for (const app of options.apps ?? sampleApps(0)) apps.push({ ...app, port: await freePort() })
    const secrets = await seedApps(house, apps)
    for (const app of apps)
      running.push(await startSampleApp(app, { issuer, outside: issuer, clientSecret: secrets.get(app.id)! }))
  } catch (error) {
    await close()
    throw error
  }

  return {
    gateway,
    issuer,
    apps,
    at(id, path = '/') {
      const app = apps.find((one) => one.id === id)
      if (!app) throw new Error(`no app ${id}`)
      return `http://localhost:${app.port}${path}`
    },
    async hire(person = {}) {
      const username = person.username ?? `person${++hired}`
      const name = person.name ?? `Person ${hired}`
      const groups = ['staff', 'store']
      const { id } = await house.people.add({ username, name, groups, password: PASSWORD, ...person }, 'test')
      return { id, username, name }
    },
    close,
  }
}

/** Types the user name and sends it. */
export async function identify(tab: Page, username: string): Promise<void> {
  await tab.fill('[name=username]', username)
  await tab.click('form:has([name=username]) button.main')
  await tab.waitForSelector('[name=password]')
}

/** Answers the two questions of an ordinary sign-in, which the tab stands before. */
export async function signIn(tab: Page, username: string, password = PASSWORD): Promise<void> {
  await identify(tab, username)
  await tab.fill('[name=password]', password)
  await tab.click('button.main')
}

/** What an app says to somebody it knows. */
export const greeting = (tab: Page) => tab.getByText(/^Hello /).textContent()
