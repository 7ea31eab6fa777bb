/** Facts of a situation in words, for those who wrote the policies: no addresses, only what rules name. */
import { formatDuration } from '#core/duration'
import type { Policies } from '../policies.ts'
import { createScene, isInside } from '../scene.ts'
import { DAYS } from '../wall-clock.ts'
import { list } from './finding.ts'
import { MONDAY, type Situation } from './variables.ts'

/** "somebody in `staff`, with an app tagged `high-risk`" */
export function whoInWords({ user, ...facts }: Situation, paths: readonly string[]): string {
  const groups = user?.groups ?? []
  const who = groups.length > 0 ? `somebody in ${list(groups)}` : 'somebody'
  const more = paths.filter((path) => path !== 'user.groups').flatMap((path) => plain({ user, ...facts }, path))
  return [who, ...more].join(', ')
}

/** "from outside of `stores`, on an unknown device" */
export const whereInWords = (situation: Situation, paths: readonly string[], policies: Policies): string =>
  paths
    .map((path) => (PHRASES[path] ? PHRASES[path](situation, policies) : plain(situation, path)))
    .filter((phrase) => phrase !== '')
    .join(', ')

const PHRASES: Readonly<Record<string, (situation: Situation, policies: Policies) => string>> = {
  'network.ip': (situation, policies) => {
    const scene = createScene(situation, policies.sites)
    const zones = [...policies.zones.values()]
    const inside = zones.filter((zone) => isInside(scene, zone) === true).map(({ name }) => name)
    return inside.length > 0 ? `from ${list(inside)}` : 'from outside of all networks that are named'
  },
  'network.country': ({ network }) => (network?.country ? `in the country \`${network.country}\`` : 'in no country'),
  // they are there for the journey from the place of the sign-in before
  'network.latitude': () => '',
  'network.longitude': () => '',
  'history.previous': ({ history }) =>
    history?.previous === null ? 'at their first sign-in' : 'after earlier sign-ins',
  'device.known': ({ device }) => (device?.known ? 'on a known device' : 'on a device that is not known'),
  'device.enrolled': ({ device }) => (device?.enrolled ? 'on an enrolled device' : 'on a device that is not enrolled'),
  'device.kind': ({ device }) => `on a ${device?.kind} device`,
  'session.started': ({ session, at = MONDAY }) =>
    `with a session that is ${formatDuration(Number(at) - Number(session?.started))} old`,
  at: ({ at }) => {
    const date = new Date(Number(at))
    return `on ${DAYS[(date.getUTCDay() + 6) % 7]} ${date.toISOString().slice(11, 16)} UTC`
  },
}

function plain(situation: Situation, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], situation)
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return `with no \`${path}\``
  return typeof value === 'string' && value.startsWith('another')
    ? `with another \`${path}\` than those that are named`
    : `with \`${path}: ${JSON.stringify(value).replaceAll('"', '')}\``
}
