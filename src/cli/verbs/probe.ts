/** `apps probe`: a hostile provider towards a test copy of an app, and what it found the last time. */
import type { Verb } from '../verb.ts'
import { appOf, idOf } from './app-lines.ts'

export const probeApp: Verb = {
  words: ['apps', 'probe'],
  usage:
    'apps probe ID --target URL [--protocol oidc|saml|forward_auth] [--check URL] [--through URL] [--listen HOST:PORT] [--public ORIGIN] [--yes] | ID --setup | ID --last',
  summary:
    'act as a hostile provider towards a test copy of the app, whose sign-in begins at --target, and keep what it takes that it must not; --setup prints what to enter there, --last what was found last',
  options: ['target', 'protocol', 'check', 'through', 'listen', 'public'],
  switches: ['yes', 'setup', 'last'],
  async run(args, context) {
    const id = idOf(probeApp, args, context)
    if (id === undefined) return 2
    const app = await appOf(id, context)
    const { probe, showLast } = await import('./probing.ts')
    return args.has('last') ? showLast(app, context) : probe(app, args, context)
  },
}
