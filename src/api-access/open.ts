/** Puts the door together. */
import type { ServerResponse } from 'node:http'
import { createAccessTokens } from '#apis'
import { protection, type RawHandler, type Route } from '#http'
import { createCheck } from './check.ts'
import { PLACE, type Reply } from './dialect.ts'
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
  readonly raw: readonly RawHandler[]
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
  const always = protection(options.issuer)
  const question = (prefix: string): RawHandler => ({
    prefix,
    wholeHead: true,
    async handle(request, response) {
      const dialect = DIALECTS.find((one) => one.asks(request))!
      send(response, dialect.write(await check(dialect, request)), always)
    },
  })
  return {
    raw: [question(PLACE), question(`${PLACE}/`), createRevokedList(options)],
    routes: [createResourceMetadata(options), ...createEvaluation({ ...options, verdicts })],
  }
}

function send(response: ServerResponse, { status, headers, body }: Reply, always: readonly string[]): void {
  const head: string[] = [...always]
  for (const name in headers) head.push(name, headers[name]!)
  head.push('content-length', body === undefined ? '0' : String(Buffer.byteLength(body)))
  response.writeHead(status, head)
  // most answers have none, and two pieces would be two writes
  if (body === undefined) response.end()
  else response.end(body)
}
