/**
 * Whether somebody is in, told by one address of the app. Which one, and by what, is learned from a sign-in that is right and
 * from a browser that has none; every case is measured by the same.
 */
import type { Browser, Stop } from './browser.ts'
import { decoded } from './markup.ts'
import { ALMA, BORIS, isShown } from './person.ts'

export interface Check {
  readonly address: URL
  /** `person`: the page names who is in. `reach`: it is only there for somebody who is in, whoever that is. */
  readonly by: 'person' | 'reach'
  /** How it ends for somebody who is in. */
  readonly sight: string
}

/** `somebody`: in, and the page does not tell who. */
export type Who = 'alma' | 'boris' | 'somebody' | 'nobody'

/** How a look ended, but for what the page says. */
const sightOf = (stop: Stop): string => `${stop.end} ${stop.url.pathname} ${stop.end === 'page' ? stop.status : ''}`
const isOpen = (stop: Stop): stop is Extract<Stop, { end: 'page' }> => stop.end === 'page' && stop.status < 300
const textOf = (stop: Stop): string => (isOpen(stop) ? decoded(stop.text) : '')

/** Twice: a complaint about the sign-in before is shown once, and may name who was refused. */
async function look(browser: Browser, address: URL): Promise<Stop> {
  await browser.open(address)
  return browser.open(address)
}

/** The first of the addresses that tells both apart. `signedIn` has just signed in as Alma. */
export async function learn(
  addresses: readonly URL[],
  signedIn: Browser,
  nobody: () => Browser,
): Promise<Check | undefined> {
  const seen: { address: URL; inside: Stop; outside: Stop }[] = []
  for (const address of addresses)
    seen.push({ address, inside: await look(signedIn, address), outside: await look(nobody(), address) })
  const open = seen.filter(({ inside }) => isOpen(inside))
  const named = open.find(({ inside, outside }) => isShown(textOf(inside), ALMA) && !isShown(textOf(outside), ALMA))
  const found = named ?? open.find(({ inside, outside }) => sightOf(inside) !== sightOf(outside))
  return found && { address: found.address, by: named ? 'person' : 'reach', sight: sightOf(found.inside) }
}

export async function whoIsIn(browser: Browser, check: Check): Promise<{ who: Who; text: string }> {
  const stop = await look(browser, check.address)
  const text = textOf(stop)
  if (check.by === 'reach') return { who: sightOf(stop) === check.sight ? 'somebody' : 'nobody', text }
  return { who: isShown(text, BORIS) ? 'boris' : isShown(text, ALMA) ? 'alma' : 'nobody', text }
}
