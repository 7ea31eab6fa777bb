/** A gateway's rooms as far as a probe needs them, and a probe on a sample app. */
import { expect } from 'vitest'
import { auditMigrations, createAudit } from '#audit'
import { type App, type Catalog, catalogMigrations, type Manifest, openCatalog } from '#catalog'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { createOutbound, type Outbound } from '#http'
import { keysMigrations, openKeys } from '#keys'
import { openProbe, type ProbedProtocol, type ProbeOptions, type ProbeReport } from '#probe'
import { probeMigrations } from '#probe/tables'
import { openStorage } from '#storage'
import { freePort } from '../ports.ts'
import { emptyStorageUrl } from '../storage.ts'

export interface Lab {
  readonly catalog: Catalog
  /** What was asked through the door outwards, by origin. */
  readonly asked: string[]
  register(manifest: Manifest): Promise<App>
  /** The values for the test copy are known before it is probed: `around` gets them, and gives the target. */
  probe(
    app: App,
    protocol: ProbedProtocol,
    around: (
      values: Readonly<Record<string, string>>,
    ) => Promise<{ target: string; close(): Promise<void> } & Partial<Pick<ProbeOptions, 'check' | 'through'>>>,
    /** A second run has to find the same; not of an app that changes meanwhile. */
    again?: boolean,
  ): Promise<ProbeReport>
  close(): Promise<void>
}

export async function openLab(): Promise<Lab> {
  const clock = systemClock
  const log = silentLog
  const migrations = [...auditMigrations, ...keysMigrations, ...catalogMigrations, ...probeMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log, migrations })
  const audit = createAudit({ storage, clock, log })
  const keys = await openKeys({ storage, clock, log, audit, masterKey: Buffer.alloc(32, 9) })
  const catalog = await openCatalog({ storage, clock, audit, keys, templates: '/nowhere' })
  const out = createOutbound(['127.0.0.0/8'])
  const asked: string[] = []
  const outbound: Outbound = (url, request) => {
    asked.push(new URL(url).origin)
    return out(url, request)
  }
  return {
    catalog,
    asked,
    async register(manifest) {
      return (await catalog.apps.register(manifest, 'test')).app
    },
    async probe(app, protocol, around, again = true) {
      const port = await freePort()
      const at = { host: '127.0.0.1', port }
      const values = await valuesOf()
      const { target, close, ...more } = await around(values)
      const probe = await openProbe({
        app,
        protocol,
        target: new URL(target),
        listen: at,
        outbound,
        storage,
        keys,
        clock,
        ...more,
      })
      try {
        const report = await probe.run()
        // what was found does not hang on the run
        if (again) expect((await probe.run()).cases).toEqual(report.cases)
        return report
      } finally {
        await probe.close()
        await close()
      }

      async function valuesOf() {
        const first = await openProbe({
          app,
          protocol,
          target: new URL('http://127.0.0.1:9/'),
          listen: at,
          outbound,
          storage,
          keys,
          clock,
        })
        await first.close()
        return first.values
      }
    },
    close: () => storage.close(),
  }
}

/** What was found, by code. */
export const taken = ({ cases }: ProbeReport): string[] =>
  cases.filter(({ result }) => result === 'accepted').map(({ code }) => code)
