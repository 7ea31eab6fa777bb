/**
 * Apps that publish their metadata: read again now and then, so that a new certificate or address of the app needs no hand.
 *
 * ATTACK: whoever takes over the address of the metadata must not send answers to themselves. So a new address is taken only on an
 * origin that was registered by hand, an entity id never changes, and requests that had to be signed still have to be. What
 * does not fit changes nothing at all, and stands in the log.
 */
import { parse } from 'yaml'
import type { AppSaml, Catalog, Manifest } from '#catalog'
import { type Clock, hours, type Millis, seconds } from '#core/clock'
import type { Log } from '#core/log'
import type { Outbound } from '#http'
import { SamlProblem } from '#saml'
import type { State } from '#storage'
import { LARGEST_METADATA, readAppMetadata } from './app-metadata.ts'
import type { SamlApp } from './incoming.ts'

const READ_AGAIN: Millis = hours(6)
const TIMEOUT: Millis = seconds(10)

export interface RefreshOptions {
  readonly state: State
  readonly clock: Clock
  readonly log: Log
  readonly catalog: Pick<Catalog, 'apps'>
  readonly outbound: Outbound
}

/** Reads what is due, each by one of all processes; answers how many registrations changed. */
export function createRefresh({ state, clock, log, catalog, outbound }: RefreshOptions): () => Promise<number> {
  async function refresh(app: SamlApp & { saml: { metadataUrl: string } }): Promise<boolean> {
    const answer = await outbound(app.saml.metadataUrl, { timeout: TIMEOUT, limit: LARGEST_METADATA })
    if (answer.status !== 200) throw new SamlProblem('metadata-unreachable', `status ${answer.status}`)
    const said = readAppMetadata(answer.body, clock.now())
    requireSame(app.saml, said)
    const manifest = parse(await catalog.apps.export(app.id)) as Manifest
    // how the app is called, and what it is told, is what the administrator has chosen
    const { entity_id: _entity, name_id_format: _format, ...changes } = said
    const saml = {
      ...manifest.saml,
      ...changes,
      requests_signed: app.saml.requestsSigned || said.requests_signed === true,
    }
    const source = { file: app.saml.metadataUrl, text: JSON.stringify({ ...manifest, saml }) }
    const { problems, changes: done } = await catalog.apps.apply([source], { by: 'system' })
    if (problems[0]) throw new SamlProblem('metadata-invalid', problems[0].message)
    return done.some(({ action }) => action === 'change')
  }

  return async () => {
    let changed = 0
    for (const app of await catalog.apps.list()) {
      if (app.saml?.metadataUrl === undefined) continue
      if (!(await state.add(`saml-metadata-read:${app.id}`, '', { ttl: READ_AGAIN }))) continue
      try {
        if (await refresh(app as SamlApp & { saml: { metadataUrl: string } })) changed++
      } catch (error) {
        const fault = error instanceof SamlProblem ? error.fault : 'metadata-unreachable'
        log.warn('saml-metadata-refused', { app: app.id, fault, detail: error instanceof Error ? error.message : '' })
      }
    }
    return changed
  }
}

/** Throws `SamlProblem` where the document is about something else than what was registered. */
function requireSame(registered: AppSaml, said: ReturnType<typeof readAppMetadata>): void {
  if (said.entity_id !== registered.entityId)
    throw new SamlProblem('metadata-entity-id', 'the metadata is about another entity id')
  const origins = new Set(registered.acsUrls.map(originOf))
  const addresses = [
    ...(said.acs_urls ?? []),
    ...(said.slo ?? []).flatMap(({ url, response_url }) => [url, response_url]),
  ]
  if (addresses.some((address) => address !== undefined && !origins.has(originOf(address))))
    throw new SamlProblem('metadata-origin', 'the metadata has an address on an origin that is not registered')
  if (said.acs_urls?.length === 0) throw new SamlProblem('metadata-no-address', 'the metadata has no address left')
  if (registered.signingCertificates.length > 0 && said.signing_certificates?.length === 0)
    throw new SamlProblem('metadata-no-key', 'the metadata has no signing certificate left')
}

const originOf = (address: string): string | undefined => URL.parse(address)?.origin
