/** `keys list | rotate`. */
import { parseDuration } from '#core/duration'
import { ALGS, isAlg, type SigningKey } from '#keys'
import { PUBLISHED_BEFORE, type SamlKey } from '#protocol/saml'
import { time } from '../moment.ts'
import type { Arguments, Context, Verb } from '../verb.ts'
import { rewrap } from './keys-rewrap.ts'

/** Of both kinds: what they are called, and what each is doing. */
interface Listed extends Pick<SigningKey, 'state' | 'signsFrom'> {
  readonly kid: string
  readonly alg: string
  readonly retiresAt?: number
}

const listed = ({ id, certificate: _, ...key }: SamlKey): Listed & { createdAt: number } => ({
  kid: id,
  alg: 'saml',
  ...key,
})

function line(key: Listed): string {
  const moments = {
    upcoming: `signs from ${time(key.signsFrom)}`,
    signing: `since ${time(key.signsFrom)}`,
    retiring: `published until ${time(key.retiresAt ?? key.signsFrom)}`,
  }
  return [key.alg.padEnd(5), key.state.padEnd(8), key.kid, moments[key.state]].join('  ')
}

const list: Verb = {
  words: ['keys', 'list'],
  usage: 'keys list',
  summary: 'the published signing keys and what each is doing; those for SAML by the fingerprint of their certificate',
  async run(_args, context) {
    const { keys, samlKeys } = await context.open()
    const found = [...keys.signing.list(), ...(await samlKeys.list()).map(listed)]
    context.print(found, () => found.map(line))
    return 0
  },
}

const rotate: Verb = {
  words: ['keys', 'rotate'],
  usage: 'keys rotate [--alg ALG | --saml [--after DURATION | --now]]',
  summary:
    'give the signing keys successors: published now, signing once every app has seen them; that for SAML apps only with --saml, after 14d unless told otherwise; --now where somebody else may have it',
  options: ['alg', 'after'],
  switches: ['saml', 'now'],
  async run(args, context) {
    const alg = args.flag('alg')
    if (args.has('saml')) return rotateSaml(args, context)
    if (args.flag('after') !== undefined || args.has('now')) {
      context.err(
        'keys rotate --after, --now: only with --saml; apps of OpenID Connect read the new keys by themselves',
      )
      return 2
    }
    if (alg !== undefined && !isAlg(alg)) {
      context.err(`keys rotate --alg: expected one of ${ALGS.join(', ')}`)
      return 2
    }
    const { keys } = await context.open()
    const successors = await keys.signing.rotate(alg, 'cli')
    context.print(successors, () => successors.map(line))
    return 0
  },
}

/** Many SAML apps are told of a certificate by hand: when the new one signs is for the administrator to say. */
async function rotateSaml(args: Arguments, context: Context): Promise<number> {
  const text = args.flag('after')
  const after = text === undefined ? PUBLISHED_BEFORE : parseDuration(text)
  if (args.flag('alg') !== undefined || after === undefined) {
    context.err('keys rotate --saml: expected no --alg, and --after a duration like `14d`')
    return 2
  }
  if (args.has('now')) {
    if (text === undefined) return replaceSaml(context)
    context.err('keys rotate --saml: either --after or --now')
    return 2
  }
  const { samlKeys } = await context.open()
  const successor = listed(await samlKeys.rotate(after, 'cli'))
  context.print([successor], () => line(successor))
  return 0
}

/** A key that somebody else may have signs nothing any more, whoever has to be told. */
async function replaceSaml(context: Context): Promise<number> {
  const { samlKeys, catalog } = await context.open()
  const { successor, gone } = await samlKeys.replace('cli')
  const key = listed(successor)
  const apps = (await catalog.apps.list()).flatMap(({ id, name, saml }) => (saml ? [{ id, name }] : []))
  context.print({ key, gone, apps }, () => [
    line(key),
    ...gone.map((kid) => `saml   gone      ${kid}`),
    ...apps.map(
      ({ id, name }) =>
        `${id}  ${name}  takes no answer of ours until it has ${context.settings.issuer}/saml/metadata again; give it to the app unless it reads that address by itself`,
    ),
  ])
  return 0
}

export const keysVerbs: Verb[] = [list, rotate, rewrap]
