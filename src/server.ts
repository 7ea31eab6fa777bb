/** The running gateway: the rooms, the doors, the clockwork. */
import { resolve } from 'node:path'
import type { Registry } from 'prom-client'
import { type LivePolicies, openAccess, openLivePolicies, PoliciesInvalid, readGood } from '#access'
import { openAccount } from '#account'
import { openApiAccess } from '#api-access'
import type { House } from '#cli'
import type { Settings } from '#config'
import { type Clock, systemClock } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Log } from '#core/log'
import type { Refusal } from '#core/refusal'
import { openForwardAuth } from '#forward-auth'
import { createHttpServer, createOutbound, type HttpServer, type PageRequest, watchLateness } from '#http'
import { createPresenter } from '#pages'
import { bindingCertificateOf, openOidc } from '#protocol/oidc'
import { openSaml } from '#protocol/saml'
import type { Senders, Session } from '#sessions'
import { openSignin } from '#signin'
import { together } from '#storage'
import { openCertificateFiles } from './certificates.ts'
import { type Made, openClaim } from './claim.ts'
import { createClockwork } from './clockwork.ts'
import { type Condition, conditionOf } from './condition.ts'
import { createCounts } from './counts.ts'
import { doctorDoor } from './doctor-seen.ts'
import { createFlowTimes } from './flow-times.ts'
import { openHouse } from './house.ts'
import { createLeader, type Leader } from './leader.ts'
import { openManagement } from './management.ts'
import type { Numbers } from './metrics.ts'
import { missingFile } from './missing.ts'
import { renderRefusal } from './refused.ts'

export interface ServerOptions {
  readonly settings: Settings
  readonly folder: string
  readonly log: Log
  readonly clock?: Clock
  /** Follow the policy folder by itself. */
  readonly follow?: boolean
  /** One of several processes of this machine: whoever started it has the management listener. */
  readonly worker?: Worker
}

export interface Worker {
  readonly number: number
  /** How many there are; the cores are shared among them. */
  readonly of: number
}

export interface Server {
  readonly port: number
  /** 0 where there is none. */
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
  /** Does now what the clockwork does all the time: whether directories that are down are back, and all that follows. */
  look(): Promise<void>
  /** What /readyz and /metrics show of this process. */
  condition(): Promise<Condition>
  numbers(): Promise<Numbers>
  /** From now on `/readyz` says no and each answer ends its connection; whoever comes is still served. */
  retire(): void
  close(): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<Server> {
  const { settings, folder, log, clock = systemClock, worker } = options
  const { issuer } = settings
  const policyFolder = resolve(folder, settings.policies)
  // without good policies a first start makes nothing at all
  const early = missingFile({ settings, folder }) === undefined ? undefined : readGood(policyFolder)
  if (early && !early.policies) throw new PoliciesInvalid(early.problems)
  let policies: LivePolicies | undefined
  let leader: Leader | undefined
  const house = await openHouse({
    ...{ settings, folder, clock, log },
    inForce: () => policies?.current(),
    processes: worker?.of ?? 1,
    purges: () => leader?.leads() ?? false,
  })
  const {
    storage,
    audit,
    keys,
    samlKeys,
    people,
    factors,
    sessions,
    devices,
    outbox,
    signOuts,
    endings,
    catalog,
    apis,
    revocations,
    diagnosis,
    versions,
    places,
    history,
  } = house
  const [refusals, prompts] = [createCounts(), createCounts()]
  const leading = createLeader({ state: storage.unsynced, log })
  leader = leading
  try {
    const rooms = { people, factors, apps: catalog.apps, devices, clock, breakGlass: settings.break_glass }
    const { known } = early?.policies ?? {}
    policies = await openLivePolicies({ folder: policyFolder, log, versions, audit, rooms, known })
  } catch (error) {
    await storage.close()
    throw error
  }
  const presenter = createPresenter(settings)
  const access = openAccess({
    clients: house.clients,
    storage,
    keys,
    clock,
    log,
    people,
    sessions,
    devices,
    policies,
    versions,
    places,
    history,
    catalog,
  })
  const senders: Senders = {
    'backchannel-logout': (row) => oidc.sendLogout(row),
    'saml-logout': (row) => saml.sendLogout(row),
  }
  const deliverLogouts = (of?: Session) => outbox.deliver(senders, of)
  const signin = openSignin({
    signOuts,
    deliver: deliverLogouts,
    storage,
    clock,
    audit,
    log,
    issuer,
    routing: settings.routing,
    access,
    people,
    factors,
    sessions,
    devices,
    catalog,
    diagnosis,
    presenter,
    revoke: endings.revoke,
    support: settings.support,
    prompted: prompts.add,
  })
  const lateness = watchLateness({ log })
  const outbound = createOutbound(settings.outbound.allow)
  const certificates = openCertificateFiles({ settings, folder, log })
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
    endings,
    catalog,
    apis,
    revocations,
    quotas: house.quotas,
    diagnosis,
    access,
    signin,
    presenter,
    outbound,
    certificates: certificates.settings,
    shortWays: settings.short_ways,
    refused: (error) => refusals.add('oauth', error),
  })
  const saml = await openSaml({
    issuer,
    storage,
    clock,
    log,
    audit,
    keys,
    samlKeys,
    sessions,
    devices,
    signOuts,
    catalog,
    diagnosis,
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
    consents: oidc.consents,
    confirmations: oidc.confirmations,
    revoke: endings.revoke,
  })
  const forwardAuth = openForwardAuth({
    issuer,
    proxies: settings.proxies,
    storage,
    clock,
    log,
    audit,
    keys,
    people,
    sessions,
    devices,
    catalog,
    diagnosis,
    access,
    signin,
    presenter,
    support: settings.support,
    refused: (code) => refusals.add('forward-auth', code),
  })
  const apiAccess = openApiAccess({
    issuer,
    proxies: settings.proxies,
    storage,
    clock,
    log,
    keys,
    people,
    sessions,
    devices,
    catalog,
    apis,
    revocations,
    quotas: house.quotas,
    access,
    clientCertificate: (request) => bindingCertificateOf(request, certificates.settings, { clock, log }),
    opaqueToken: oidc.opaqueToken,
    refused: (code) => refusals.add('api-check', code),
  })
  const claim = openClaim({ storage, people, audit, presenter, issuer })

  const clockwork = createClockwork({
    house,
    leader: leading,
    keep: parseDuration(settings.receipts.keep)!,
    keepEvents: settings.audit.keep === undefined ? undefined : parseDuration(settings.audit.keep)!,
    deliverLogouts,
    keysChanged: oidc.keysChanged,
    refreshApps: saml.refreshApps,
    lookAtFiles: certificates.reload,
  })

  let http: HttpServer | undefined
  let management: HttpServer | undefined
  let mutual: HttpServer | undefined
  let made: Made
  let retired = false
  const phase = () => (retired ? 'stopping' : http === undefined ? 'starting' : 'serving')
  const condition = () => conditionOf({ storage, phase, directories: people.states })
  // loaded by who measures: a start does not wait for it
  let register: Promise<Registry> | undefined
  const times = createFlowTimes()
  const registry = () =>
    (register ??= import('./metrics.ts').then(({ measuredOf, registerOf }) =>
      registerOf(
        measuredOf({ people, access, outbox, clock, leader: leading, times, storage, refusals, prompts }),
        worker?.number,
      ),
    ))
  try {
    if (!worker)
      management = await openManagement({
        listen: settings.management.listen,
        log,
        condition,
        async metrics() {
          const known = await registry()
          return { text: await known.metrics(), contentType: known.contentType }
        },
      })
    const shared = {
      isLate: lateness.isLate,
      issuer,
      shared: worker !== undefined,
      around: together,
      answered: times.note,
      renderRefusal(refusal: Refusal, request: PageRequest) {
        refusals.add('page', refusal.code)
        return renderRefusal(refusal, request, presenter)
      },
      log,
    }
    http = await createHttpServer({
      listen: settings.listen,
      proxies: settings.proxies,
      routes: [
        ...signin.routes,
        ...saml.routes,
        ...account.routes,
        ...claim.routes,
        ...forwardAuth.routes,
        ...apiAccess.routes,
      ],
      ready: oidc.ready,
      raw: [...forwardAuth.raw, ...apiAccess.raw, ...oidc.raw, doctorDoor(storage)],
      certificateHeader: settings.client_certificates?.header,
      certificateChainHeader: settings.client_certificates?.chain_header,
      ...shared,
    })
    mutual = await certificates.listen(oidc.programs, shared)
    made = await claim.make()
  } catch (error) {
    lateness.stop()
    await http?.close()
    await mutual?.close()
    await management?.close()
    policies.close()
    await storage.close()
    throw error
  }
  if (options.follow) policies.follow()
  await clockwork.start()
  await audit.record('server-started', { actor: 'system' })
  log.info('server-started', { port: http.port })
  // which of the two it is decides what a change of the folder does: nothing, once something was published
  const publication = policies.publication()
  const from = publication === 0 ? 'folder' : `publication ${publication}`
  log.info('policies-in-force', { from, version: policies.current().version })

  return {
    port: http.port,
    managementPort: management?.port ?? 0,
    house,
    claimUrl: made.url,
    claimTooLate: made.tooLate,
    async reload() {
      certificates.reload()
      try {
        await policies.reload()
      } catch (cause) {
        // SIGHUP while the database cannot be read must not be what ends the process
        log.error('policies-reload-failed', {}, cause)
      }
    },
    tick: clockwork.tick,
    look: people.look,
    condition,
    numbers: async () => (await registry()).getMetricsAsJSON(),
    retire() {
      retired = true
      http?.retire()
      mutual?.retire()
    },
    async close() {
      await clockwork.stop()
      people.close()
      policies.close()
      await Promise.all([http?.close(), mutual?.close()])
      lateness.stop()
      await management?.close()
      await diagnosis.tidy()
      await audit.record('server-stopped', { actor: 'system' })
      await storage.close()
      log.info('server-stopped')
    },
  }
}
