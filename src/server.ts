/** The running gateway: the rooms, the doors, the clockwork. */
import { resolve } from 'node:path'
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
import { createHttpServer, createOutbound, type HttpServer, type PageRequest } from '#http'
import { createPresenter } from '#pages'
import { openOidc } from '#protocol/oidc'
import { openSaml } from '#protocol/saml'
import type { Senders, Session } from '#sessions'
import { openSignin } from '#signin'
import { together } from '#storage'
import { openCertificateFiles } from './certificates.ts'
import { type Made, openClaim } from './claim.ts'
import { createClockwork } from './clockwork.ts'
import { openHouse } from './house.ts'
import { openManagement } from './management.ts'
import { missingFile } from './missing.ts'
import { renderRefusal } from './refused.ts'

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
  /** Does now what the clockwork does all the time: whether directories that are down are back, and all that follows. */
  look(): Promise<void>
  close(): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<Server> {
  const { settings, folder, log, clock = systemClock } = options
  const { issuer } = settings
  const policyFolder = resolve(folder, settings.policies)
  // without good policies a first start makes nothing at all
  const early = missingFile({ settings, folder }) === undefined ? undefined : readGood(policyFolder)
  if (early && !early.policies) throw new PoliciesInvalid(early.problems)
  let policies: LivePolicies | undefined
  const house = await openHouse({ settings, folder, clock, log, inForce: () => policies?.current() })
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
  })
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
    opaqueToken: oidc.opaqueToken,
  })
  const claim = openClaim({ storage, people, audit, presenter, issuer })

  const clockwork = createClockwork({
    house,
    keep: parseDuration(settings.receipts.keep)!,
    deliverLogouts,
    keysChanged: oidc.keysChanged,
    refreshApps: saml.refreshApps,
    lookAtFiles: certificates.reload,
  })

  let http: HttpServer | undefined
  let management: HttpServer | undefined
  let mutual: HttpServer | undefined
  let made: Made
  try {
    management = await openManagement({
      listen: settings.management.listen,
      log,
      ready: () => http !== undefined,
      load: people.load,
      directories: people.states,
      storage,
    })
    const shared = {
      issuer,
      around: together,
      renderRefusal: (refusal: Refusal, request: PageRequest) => renderRefusal(refusal, request, presenter),
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
      raw: [...forwardAuth.raw, ...apiAccess.raw, ...oidc.raw],
      certificateHeader: settings.client_certificates?.header,
      ...shared,
    })
    mutual = await certificates.listen(oidc.programs, shared)
    made = await claim.make()
  } catch (error) {
    await http?.close()
    await mutual?.close()
    await management?.close()
    policies.close()
    await storage.close()
    throw error
  }
  if (options.follow) policies.follow()
  clockwork.start()
  await audit.record('server-started', { actor: 'system' })
  log.info('server-started', { port: http.port })
  // which of the two it is decides what a change of the folder does: nothing, once something was published
  const publication = policies.publication()
  const from = publication === 0 ? 'folder' : `publication ${publication}`
  log.info('policies-in-force', { from, version: policies.current().version })

  return {
    port: http.port,
    managementPort: management.port,
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
    async close() {
      await clockwork.stop()
      people.close()
      policies.close()
      await Promise.all([http?.close(), mutual?.close()])
      await management?.close()
      await diagnosis.tidy()
      await audit.record('server-stopped', { actor: 'system' })
      await storage.close()
      log.info('server-stopped')
    },
  }
}
