/** Puts the door together. */
import { createAccessTokens } from '#apis'
import type { BareHandler, Route } from '#http'
import { createCheck } from './check.ts'
import { PLACE } from './dialect.ts'
import { DIALECTS } from './dialects/list.ts'
import { createEvaluation } from './evaluation.ts'
import type { ApiAccessOptions } from './options.ts'
import { createReplies } from './replies.ts'
import { createResourceMetadata } from './resource-metadata.ts'
import { createRevokedList } from './revoked-list.ts'
import { createSenders } from './sender.ts'
import { createHolding } from './token.ts'
import { createVerdicts } from './verdicts.ts'

export interface ApiAccessDoor {
  readonly raw: readonly BareHandler[]
  readonly routes: readonly Route[]
}

export function openApiAccess(options: ApiAccessOptions): ApiAccessDoor {
  const tokens = createAccessTokens(options)
  const verdicts = createVerdicts(options)
  const check = createCheck({
    ...options,
    replies: createReplies(options),
    verdicts,
    senders: createSenders(options),
    holding: createHolding({ ...options, tokens }),
  })
  const question = (prefix: string): BareHandler => ({
    prefix,
    async answer(request) {
      const dialect = DIALECTS.find((one) => one.asks(request))!
      return dialect.write(await check(dialect, request))
    },
  })
  return {
    raw: [question(PLACE), question(`${PLACE}/`), createRevokedList(options)],
    routes: [createResourceMetadata(options), ...createEvaluation({ ...options, verdicts })],
  }
}
