/** The running gateway: the rooms, the doors, the clockwork. */
import { resolve } from 'node:path'
import { openAccess, openLivePolicies } from '#access'
import { openAccount } from '#account'
import type { House } from '#cli'
import type { Settings } from '#config'
import { type Clock, minutes, seconds, systemClock } from '#core/clock'
import type { Log } from '#core/log'
import type { Refusal } from '#core/refusal'
import { type Answer, createHttpServer, createOutbound, type HttpServer, json, type PageRequest } from '#http'
import { createPresenter, errorView, type Presenter } from '#pages'
import { openOidc } from '#protocol/oidc'
import { openSignin } from '#signin'
import { together } from '#storage'
import { openClaim } from './claim.ts'
import { openHouse } from './house.ts'
import { openManagement } from './management.ts'

export interface ServerOptions {
  readonly settings: Settings
  readonly folder: string
  readonly log: Log
  readonly clock?: Clock
  /** Follow the policy folder by itself. */
  readonly follow?: boolean
}

export interface Server {
  readonly port: number
  readonly managementPort: number
  readonly house: House
  /** Single use, 30 minutes: makes the first administrator. Only on the very first start. */
  readonly claimUrl: string | undefined
  /** Nobody is there, and the link was made at an earlier start. */
  readonly claimTooLate: boolean
  /** Policies and catalog anew; a bad file is refused and the old stays. */
  reload(): Promise<void>
  /** Does now what the clockwork does every minute: expired sessions, key rotation, sign-outs that are due. */
  tick(): Promise<void>
  close(): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<Server> {
  const { settings, folder, log, clock = systemClock } = options
  const { issuer } = settings
  // policies come first: without good ones nothing is opened at all
  const early = openLivePolicies({ folder: resolve(folder, settings.policies), log })
  const house = await openHouse({ settings, folder, clock, log, policyNames: () => early.current().names })
  const { storage, audit, keys, people, factors, sessions, devices, outbox, endings, catalog, places, history } = house
  early.report(audit)
  const presenter = createPresenter(settings)
  const access = openAccess({ storage, keys, clock, log, people, sessions, policies: early, places, history })
  const signin = openSignin({
    storage,
    clock,
    audit,
    access,
    people,
    factors,
    sessions,
    devices,
    catalog,
    presenter,
    support: settings.support,
  })
  const outbound = createOutbound(settings.outbound.allow)
  const oidc = await openOidc({
    issuer,
    storage,
    clock,
    log,
    audit,
    keys,
    people,
    sessions,
    devices,
    outbox,
    endings,
    catalog,
    access,
    signin,
    presenter,
    outbound,
  })
  const account = openAccount({
    clock,
    log,
    audit,
    access,
    people,
    factors,
    sessions,
    devices,
    catalog,
    signin,
    presenter,
    localDirectories: settings.directories.filter(({ kind }) => kind === 'local').map(({ id }) => id),
    consents: oidc.consents,
    revoke: endings.revoke,
  })
  const claim = await openClaim({ storage, people, audit, presenter, issuer })

  async function tick(): Promise<void> {
    await sessions.sweep()
    if (await keys.signing.refresh()) oidc.keysChanged()
    await oidc.deliverLogouts()
  }

  let http: HttpServer | undefined
  const management = await openManagement({
    listen: settings.management.listen,
    log,
    ready: () => http !== undefined,
    load: people.load,
    storage,
  })
  try {
    http = await createHttpServer({
      listen: settings.listen,
      issuer,
      proxies: settings.proxies,
      routes: [...signin.routes, ...account.routes, ...claim.routes],
      raw: oidc.raw,
      around: together,
      renderRefusal: (refusal, request) => renderRefusal(refusal, request, presenter),
      log,
    })
  } catch (error) {
    await management.close()
    early.close()
    await storage.close()
    throw error
  }
  if (options.follow) early.follow()
  const timers = [every(minutes(1), tick, log), every(seconds(2), async () => void (await oidc.deliverLogouts()), log)]
  await audit.record('server-started', { actor: 'system' })
  log.info('server-started', { port: http.port })

  return {
    port: http.port,
    managementPort: management.port,
    house,
    claimUrl: claim.url,
    claimTooLate: claim.tooLate,
    async reload() {
      await early.reload()
    },
    tick,
    async close() {
      for (const timer of timers) clearInterval(timer)
      early.close()
      await http?.close()
      await management.close()
      await audit.record('server-stopped', { actor: 'system' })
      await storage.close()
      log.info('server-stopped')
    },
  }
}

function every(length: number, work: () => Promise<void>, log: Log): NodeJS.Timeout {
  let running = false
  return setInterval(async () => {
    if (running) return
    running = true
    try {
      await work()
    } catch (cause) {
      log.error('clockwork-failed', {}, cause)
    } finally {
      running = false
    }
  }, length).unref()
}

function renderRefusal(refusal: Refusal, request: PageRequest, presenter: Presenter): Answer {
  const { retryAfter } = refusal
  const forProgram = request.path.startsWith('/api/') || (request.headers.accept ?? '').startsWith('application/json')
  if (forProgram) {
    const problem = {
      type: 'about:blank',
      title: refusal.say,
      status: refusal.status,
      code: refusal.code,
      ref: request.id,
    }
    return {
      ...json(problem, refusal.status),
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    }
  }
  const data = {
    code: refusal.code,
    reference: request.id,
    home: '/',
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
  return presenter.page(request, (messages) => errorView(data, messages), {
    status: refusal.status,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}
