/** Which policies a command is about: a folder, a published version, or those in force. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Publication, policiesOf } from '#access'
import { formatProblem } from '#config'
import { Refusal } from '#core/refusal'
import { loadPolicies, type Policies, type PolicyFiles } from '#policy'
import type { Arguments, Context, House } from '../verb.ts'

/** `--policies DIR` as it is written, so that problems name files the way the operator does; else the settings' folder. */
export const folderOf = (args: Arguments, context: Context): string =>
  args.flag('policies') ?? resolve(context.folder, context.settings.policies)

/** What was published last, and undefined where nothing was, or where there is no database yet. */
export async function publicationInForce(
  context: Context,
): Promise<{ house: House; publication: Publication } | undefined> {
  try {
    const house = await context.open()
    const publication = await house.versions.find('current')
    return publication && { house, publication }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'database-missing') return undefined
    throw error
  }
}

/** The published policies that decide; undefined where it is the folder that does. */
export async function policiesInForce(context: Context): Promise<Policies | undefined> {
  const found = await publicationInForce(context)
  if (!found) return undefined
  const policies = await policiesOf(found.house.versions, found.publication.version)
  if (!policies) throw new Refusal('version-unknown', `publication ${found.publication.number} cannot be used`)
  return policies
}

/** What is in force; undefined after saying what is wrong with the folder. */
export async function policiesNow(context: Context): Promise<Policies | undefined> {
  const published = await policiesInForce(context)
  if (published) return published
  const { policies } = loadPolicies(resolve(context.folder, context.settings.policies))
  if (!policies) context.err('the policy files have problems: `policy check` tells them')
  return policies
}

export const isFolder = (named: string): boolean => statSync(named, { throwIfNoEntry: false })?.isDirectory() === true

/** Files, and what they are in words: `the folder candidate`, `publication 3 (in force)`. */
export interface NamedFiles {
  readonly files: PolicyFiles
  readonly is: string
}

/** A folder, or a publication by number, version or `current`. Undefined after saying what is wrong with it. */
export async function filesNamed(named: string, context: Context): Promise<NamedFiles | undefined> {
  if (isFolder(named)) {
    const { files, problems } = loadPolicies(named)
    for (const problem of problems) context.err(formatProblem(problem))
    return problems.length > 0 ? undefined : { files, is: `the folder ${named}` }
  }
  const { versions } = await context.open()
  const publication = await versions.find(named)
  const files = publication && (await versions.files(publication.version))
  if (!files) {
    context.err(`\`${named}\` is neither a folder nor a published version; \`policy versions\` shows those`)
    return undefined
  }
  const { number } = publication
  const inForce = number === (await versions.head())
  return {
    files: { ...files, label: `${number}:${files.label}` },
    is: `publication ${number}${inForce ? ' (in force)' : ''}`,
  }
}
