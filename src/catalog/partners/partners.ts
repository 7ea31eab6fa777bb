/** What can be done with partners. Each is an app; its contract is what people write and read. */
import { stringify } from 'yaml'
import type { SourceFile } from '#config'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import type { App, Definition } from '../app.ts'
import { type Applied, type ApplyOptions, applyManifests } from '../apply.ts'
import type { Registry } from '../registry.ts'
import type { CheckOptions } from '../rules.ts'
import { toContract } from './contract.ts'
import { defaultPolicy, type KnownApis, readContracts } from './reading.ts'

export interface Partners {
  /** All of them, in the order of their ids. */
  list(): Promise<App[]>
  /** Throws Refusal `partner-unknown`. */
  find(id: string): Promise<App>
  /** Otherwise like that of apps; nothing but partners is ever changed or pruned. */
  apply(sources: readonly SourceFile[], options: ApplyOptions): Promise<Applied>
  /** The contract of which applying changes nothing. Throws Refusal `partner-unknown`. */
  export(id: string): Promise<string>
  /**
   * No tokens any more, and those that the gateway is asked about are over at once. Stays so whatever is applied, until
   * `resume`. False: it was ended before. Throws Refusal `partner-unknown`.
   */
  end(id: string, by: string): Promise<boolean>
  /** It gets tokens again; those from before stay over. False: it was not ended. Throws Refusal `partner-unknown`. */
  resume(id: string, by: string): Promise<boolean>
}

export interface PartnersOptions {
  readonly registry: Registry
  readonly check: () => Promise<CheckOptions>
  /** The APIs that contracts may name. */
  readonly knownApis: () => Promise<KnownApis>
}

const isPartner = ({ partner }: Pick<Definition, 'partner'>): boolean => partner !== undefined

export function createPartners({ registry, check, knownApis }: PartnersOptions): Partners {
  const list = async () => (await registry.list()).filter(({ partner }) => partner)

  const unknown = async (id: string): Promise<Refusal> => {
    const near = nearest(
      id,
      (await list()).map((one) => one.id),
    )
    return new Refusal('partner-unknown', `catalog: no partner \`${id}\`${near ? `; did you mean \`${near}\`?` : ''}`)
  }

  const setEnded = (id: string, ended: boolean, by: string) =>
    registry.write(async (writer) => {
      const stored = await writer.stored(id)
      if (!stored || !isPartner(stored.definition)) throw await unknown(id)
      if ((stored.endedAt !== undefined) === ended) return false
      await writer.end(id, ended)
      await writer.record(ended ? 'partner-ended' : 'partner-resumed', { actor: by, app: id })
      return true
    })

  return Object.freeze({
    list,
    async find(id: string) {
      const app = await registry.find(id)
      if (!app?.partner) throw await unknown(id)
      return app
    },
    apply: async (sources: readonly SourceFile[], options: ApplyOptions) => {
      const [apis, checking] = [await knownApis(), await check()]
      return applyManifests(
        {
          registry,
          read: (files) => readContracts(files, apis, checking),
          isMine: isPartner,
          key: 'partner',
          closed: ({ definition, endedAt }) =>
            isPartner(definition)
              ? endedAt === undefined
                ? undefined
                : [
                    'partner-ended',
                    `which was ended on ${new Date(endedAt).toISOString().slice(0, 10)} (\`partners resume\`)`,
                  ]
              : ['app-exists', 'which is an app already'],
        },
        sources,
        options,
      )
    },
    async export(id: string) {
      const stored = await registry.stored(id)
      if (!stored || !isPartner(stored.definition)) throw await unknown(id)
      const { definition } = stored
      return stringify(toContract(definition, defaultPolicy(definition.oidc?.apis, await knownApis())), {
        lineWidth: 0,
      })
    },
    end: (id: string, by: string) => setEnded(id, true, by),
    resume: (id: string, by: string) => setEnded(id, false, by),
  })
}
