/** From files to definitions. */
import { type Problem, readYamlEach, type SourceFile } from '#config'
import { nearest } from '#core/nearest'
import { type ApiDefinition, apiSchema } from './api.ts'
import { detailProblems } from './details.ts'
import { gatewayProblems, type InForce, unknownNames } from './gateway.ts'

export interface ReadApis {
  readonly wanted: ReadonlyMap<string, ApiDefinition>
  readonly problems: readonly Problem[]
  /** What stays as it is because its file has a mistake. */
  readonly refused: readonly { readonly id?: string; readonly file: string; readonly line: number }[]
}

/** `inForce`: undefined where the policies are not known; then what names something of theirs is not checked. */
export async function readApis(sources: readonly SourceFile[], inForce?: InForce): Promise<ReadApis> {
  const policyNames = inForce?.names
  const wanted = new Map<string, ApiDefinition>()
  const problems: Problem[] = []
  const refused: { id?: string; file: string; line: number }[] = []
  const audiences = new Map<string, string>()
  const types = new Map<string, string>()
  for (const { file, text } of sources) {
    const read = readYamlEach(file, text, apiSchema)
    problems.push(...read.problems)
    if (read.problems.length > 0) refused.push({ file, line: 1 })
    for (const { value, raw, problems: own, position, problem } of read.items) {
      const found = [...own]
      if (value) {
        const { api, audience, policy } = value
        const other = audiences.get(audience)
        if (wanted.has(api)) found.push(problem(['api'], 'api-twice', `\`${api}\` stands there twice`))
        else if (other !== undefined)
          found.push(problem(['audience'], 'audience-taken', `\`audience\` is that of \`${other}\` too`))
        if (policyNames && !policyNames.includes(policy)) {
          const near = nearest(policy, policyNames)
          const hint = near ? `; did you mean \`${near}\`?` : ''
          found.push(problem(['policy'], 'policy-unknown', `\`policy\` names no policy: \`${policy}\`${hint}`))
        }
        const { authorization_details: declared, scopes: known, gateway } = value
        for (const type of Object.keys(declared).filter((one) => types.has(one))) {
          const message = `\`authorization_details.${type}\` is a type of \`${types.get(type)}\` too`
          found.push(problem(['authorization_details', type], 'type-taken', message))
        }
        for (const wrong of [
          ...(await detailProblems(declared, value)),
          ...(gateway ? gatewayProblems(gateway, { scopes: known, types: declared }) : []),
          ...(gateway && inForce ? unknownNames(gateway, inForce) : []),
        ])
          found.push(problem([...wrong.path], wrong.code, wrong.message))
        for (const [i, { scopes }] of value.exchange.entries())
          for (const [scope, worth] of Object.entries(scopes))
            for (const unknown of worth.filter((one) => !Object.hasOwn(value.scopes, one))) {
              const at = ['exchange', i, 'scopes', scope]
              found.push(problem(at, 'scope-unknown', `\`${at.join('.')}\` names no scope of this API: \`${unknown}\``))
            }
        if (found.length === 0) {
          wanted.set(api, value)
          audiences.set(audience, api)
          for (const type of Object.keys(declared)) types.set(type, api)
          continue
        }
      }
      problems.push(...found)
      const id = (raw as { api?: unknown } | undefined)?.api
      refused.push({ ...(typeof id === 'string' && { id }), file, line: position([]).line })
    }
  }
  return { wanted, problems, refused }
}
