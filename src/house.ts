/** Opens the rooms on the configured storage, in the order of their floors. The server and the command line share it. */
import { resolve } from 'node:path'
import { accessMigrations, createReceiptLedger, createReceipts, openVersions, RECEIPT_KEY } from '#access'
import { apisMigrations, type InForce, keyOf, openApis, openRevocations } from '#apis'
import { auditMigrations, createAudit } from '#audit'
import { openSeals } from '#audit/seals'
import { catalogMigrations, openCatalog } from '#catalog'
import type { House } from '#cli'
import type { Settings } from '#config'
import { openClientPasts, openHistory, openPlaces, openQuotas } from '#context'
import type { Clock } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Log } from '#core/log'
import { diagnosisMigrations, openDiagnosis } from '#diagnosis'
import { createHashing, directoryMigrations, openDirectory } from '#directory'
import { factorsMigrations, openFactors } from '#factors'
import { signOutWay } from '#forward-auth'
import { createOutbound } from '#http'
import { isSealed, keysMigrations, openKeys, readMasterKey } from '#keys'
import { probeMigrations } from '#probe/tables'
import { attachEndings, consentMigrations, createConsents } from '#protocol/oidc'
import { attachSamlEndings, createSamlKeys, samlMigrations } from '#protocol/saml'
import { createSignOuts, DIRECTORY_BACK, openDevices, openOutbox, openSessions, sessionsMigrations } from '#sessions'
import { type Migration, openStorage, type StorageOptions } from '#storage'
import { inFolder } from './missing.ts'

export const MIGRATIONS: readonly Migration[] = [
  ...auditMigrations,
  ...keysMigrations,
  ...directoryMigrations,
  ...factorsMigrations,
  ...sessionsMigrations,
  ...catalogMigrations,
  ...apisMigrations,
  ...accessMigrations,
  ...consentMigrations,
  ...samlMigrations,
  ...diagnosisMigrations,
  ...probeMigrations,
]

export interface HouseOptions {
  readonly settings: Settings
  /** Where relative file names of the settings start. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
  /** The policies that an app may name; the running server knows them, a command reads them when it registers an app. */
  readonly inForce?: () => InForce | undefined | Promise<InForce | undefined>
  /** Of a server: so many share the cores of this machine. */
  readonly processes?: number
  /** Whether what is over is removed by this process just now; always unless given. */
  purges?(): boolean
}

export async function openHouse({
  settings,
  folder,
  clock,
  log,
  inForce,
  processes,
  purges,
}: HouseOptions): Promise<House & { close(): Promise<void> }> {
  const { issuer } = settings
  const policyNames = inForce && (async () => (await inForce())?.names)
  const url = inFolder(settings.storage.url, folder)
  const storage = await openStorage({
    ...{ url, state: statePlace(settings, folder), clock, log, migrations: MIGRATIONS },
    ...(purges ? { purges } : {}),
  })
  try {
    const masterKey = await readMasterKey(settings.secrets, folder, () => isSealed(storage))
    const audit = createAudit({ storage, clock, log })
    const keys = await openKeys({ storage, clock, log, audit, masterKey })
    const outbound = createOutbound(settings.outbound.allow)
    const hashing = createHashing({ clock, ...(processes === undefined ? {} : { processes, ownThreads: true }) })
    const people = await openDirectory({
      storage,
      clock,
      log,
      audit,
      directories: settings.directories,
      breakGlass: settings.break_glass,
      folder,
      hashing,
      outside: { outbound, keys, issuer: settings.issuer },
    })
    const factors = await openFactors({
      storage,
      clock,
      log,
      audit,
      keys,
      issuer: settings.issuer,
      organisation: settings.organisation,
      verifyPassword: people.verifyPassword,
      hasPassword: people.hasPassword,
    })
    const defaults = { idle: parseDuration(settings.sessions.idle)!, max: parseDuration(settings.sessions.max)! }
    const sessions = openSessions({ storage, clock, log, audit, defaults })
    const devices = openDevices({ storage, clock, audit })
    const places = openPlaces({ file: geoFile(settings, folder), log })
    const history = openHistory({ state: storage.state, clock })
    const quotas = openQuotas({ state: storage.state, clock, audit })
    const clients = openClientPasts({ state: storage.state, clock, audit })
    const templates = resolve(folder, settings.catalog)
    const apis = openApis({ storage, clock, audit, log, ...(inForce ? { inForce } : {}) })
    const revocations = openRevocations({ storage, clock, audit })
    const catalog = await openCatalog({
      storage,
      clock,
      audit,
      // an app that loses what it showed, or goes, takes its tokens along, in the transaction in which it does
      async onTokensEnd({ client, keys: shown, at }, by, on) {
        if (!shown) await revocations.revoke({ kind: 'client', id: client, ...(at !== undefined && { at }) }, by, on)
        for (const key of shown ?? []) await revocations.revoke({ kind: 'key', id: keyOf(client, key) }, by, on)
      },
      keys,
      templates,
      ...(policyNames ? { policyNames } : {}),
      registration: settings.registration,
      documents: settings.client_documents && {
        settings: { ...settings.client_documents, cache: parseDuration(settings.client_documents.cache)! },
        outbound,
        log,
      },
      knownApis: async () =>
        new Map(
          (await apis.all()).list.map(({ id, policy, scopes, details }) => [
            id,
            { policy, scopes: [...scopes.keys(), ...details.keys()] },
          ]),
        ),
    })
    const diagnosis = openDiagnosis({ issuer, storage, clock, log, catalog })
    const samlKeys = createSamlKeys({ storage, clock, audit, keys, name: new URL(settings.issuer).hostname })
    const receipts = createReceipts(storage, clock, keys.derive(RECEIPT_KEY))
    const seals = openSeals({ storage, clock, log, derive: keys.derive, receipts: createReceiptLedger(storage) })
    const outbox = openOutbox({ storage, clock, log, audit })
    const signOuts = createSignOuts({ sessions, outbox, state: storage.state })
    signOuts.add(signOutWay)
    const endings = attachEndings({
      ...{
        issuer,
        state: storage.state,
        durable: storage.durable,
        clock,
        audit,
        keys,
        sessions,
        devices,
        people,
        signOuts,
        catalog,
        revocations,
      },
    })
    attachSamlEndings({ issuer, state: storage.state, clock, catalog, samlKeys, signOuts })
    people.onDisabled((personId) => revocations.revoke({ kind: 'subject', id: personId }, 'system'))
    sessions.onEnd(async ({ session }) => {
      const apps = await Promise.all(session.apps.map(({ app }) => catalog.apps.find(app)))
      // any other session has no token that could live without it
      if (apps.some((app) => Object.keys(app?.oidc?.apis ?? {}).length > 0))
        await revocations.revoke({ kind: 'session', id: session.id }, 'system')
    })
    people.onPasswordSet(async (personId, by) => {
      await sessions.endAll(personId, 'password-changed', by)
      // ATTACK: an app opened with the old password may have got a token that outlives its session
      await endings.revoke(personId)
    })
    people.onUnlinked(async (personId) => {
      await sessions.endAll(personId, 'identity-unlinked', 'system')
      await endings.revoke(personId)
    })
    const consents = createConsents(storage, clock)
    people.merging.onMerged({
      async records(from, into, by, on) {
        await factors.move(from, into, by, on)
        await devices.move(from, into, on)
        await consents.move(from, into, on)
      },
      async state(from, into) {
        await endings.become(from, into)
        await history.move(from, into)
      },
    })
    people.alsoJudge(() => sessions.all())
    people.onPasswordDoubtful(async (personId) => {
      for (const { id, authenticated } of await sessions.ofPerson(personId))
        if (authenticated.some(({ duringOutage }) => duringOutage)) await sessions.end(id, DIRECTORY_BACK, 'system')
    })
    people.onRemoved(async (personId) => {
      await factors.removeAll(personId, 'system')
      await devices.forgetAll(personId, 'system')
      await consents.forget(personId)
      for (const id of [personId, ...(await people.merging.absorbedBy(personId))]) await receipts.forget(id)
      await history.forget(personId)
    })
    return {
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
      places,
      history,
      quotas,
      clients,
      catalog,
      apis,
      revocations,
      diagnosis,
      receipts,
      seals,
      versions: openVersions(storage, clock),
      clock,
      log,
      async close() {
        people.close()
        await hashing.close()
        await storage.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** Undefined where short-lived state is kept with the records. */
function statePlace({ state, storage }: Settings, folder: string): StorageOptions['state'] {
  if (state.url === undefined || state.url === storage.url) return undefined
  return {
    url: state.url,
    password: state.password,
    sentinelUsername: state.sentinel_username,
    sentinelPassword: state.sentinel_password,
    caFile: state.ca_file === undefined ? undefined : resolve(folder, state.ca_file),
    replicas: state.replicas,
  }
}

const geoFile = ({ geo }: Settings, folder: string): string | undefined =>
  geo.file === undefined ? undefined : resolve(folder, geo.file)
