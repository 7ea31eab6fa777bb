/** The names of the policies that an app may be given. */
import { resolve } from 'node:path'
import { loadPolicies } from '#policy'
import type { Context } from '../verb.ts'
import { policiesInForce } from './policy-folder.ts'

/** Of those in force; none where the folder cannot be read, which `policy check` explains. */
export async function policyNames(context: Context): Promise<readonly string[]> {
  const policies =
    (await policiesInForce(context)) ?? loadPolicies(resolve(context.folder, context.settings.policies)).policies
  return [...(policies?.names ?? [])]
}
