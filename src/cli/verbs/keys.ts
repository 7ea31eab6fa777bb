/** `keys list | rotate`. */
import { ALGS, isAlg, type SigningKey } from '#keys'
import type { Verb } from '../verb.ts'

const time = (at: number): string => new Date(at).toISOString().slice(0, 19).concat('Z')

function line(key: SigningKey): string {
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
  summary: 'the published signing keys and what each is doing',
  async run(_args, context) {
    const { keys } = await context.open()
    const found = keys.signing.list()
    context.print(found, () => found.map(line))
    return 0
  },
}

const rotate: Verb = {
  words: ['keys', 'rotate'],
  usage: 'keys rotate [--alg ALG]',
  summary: 'give the signing keys successors: published now, signing once every app has seen them',
  options: ['alg'],
  async run(args, context) {
    const alg = args.flag('alg')
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

export const keysVerbs: Verb[] = [list, rotate]
