/** Why a gateway does not start, for what an operator can mend: one sentence. */
import { PoliciesInvalid } from '#access'
import type { Settings } from '#config'
import { Refusal } from '#core/refusal'
import { whyNotListening } from './listening.ts'

/** Undefined for anything else, refusals among it: commands print those by themselves. */
export const whyNot = (error: unknown, settings: Settings): string | undefined =>
  error instanceof PoliciesInvalid ? error.message : whyNotListening(error, settings)

/** Refusals as well, in the words in which commands print them. */
export const whyNotAtAll = (error: unknown, settings: Settings): string | undefined =>
  error instanceof Refusal
    ? `${error.code}: ${error.say}${error.detail ? ` (${error.detail})` : ''}`
    : whyNot(error, settings)
