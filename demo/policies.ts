/** The shipped policies, in which the one machine that everything runs on is a store. */
import { appendFileSync, cpSync } from 'node:fs'
import { join } from 'node:path'

const SHIPPED = join(import.meta.dirname, '../policies')
/** Only where nobody else can come from: behind a proxy on the same machine, everybody might have these addresses. */
const THIS_MACHINE = '127.0.0.0/8,demo,This machine\n::1/128,demo,This machine\n'

export function copyPolicies(to: string): void {
  cpSync(SHIPPED, to, { recursive: true })
  appendFileSync(join(to, 'networks/stores.csv'), THIS_MACHINE)
}
