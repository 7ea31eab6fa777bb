/**
 * Answers to proxies and programs, which ask before each request of somebody else's: the head is written at once, since setting
 * headers one by one takes longer than finding the answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface BareAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
}

/** Its answer is sent by the server, as that of a route is: once everything that it rests on is durable. */
export interface BareHandler {
  /** `/authz/api/`, or an exact path when it does not end in a slash. */
  readonly prefix: string
  answer(request: IncomingMessage): BareAnswer | Promise<BareAnswer>
}

/** On every answer, whoever writes it. */
const PLAIN = Object.freeze(['x-content-type-options', 'nosniff'] as const)
const SECURE = Object.freeze([...PLAIN, 'strict-transport-security', 'max-age=31536000'] as const)
/** RFC 9110 §8.6: it would tell the length of what is not sent. */
const NOT_MODIFIED = 304

export function sendBare(response: ServerResponse, { status, headers, body }: BareAnswer, secure: boolean): void {
  const head: (string | string[])[] = [...(secure ? SECURE : PLAIN)]
  for (const name in headers) head.push(name, headers[name] as string | string[])
  if (status !== NOT_MODIFIED) head.push('content-length', body === undefined ? '0' : String(Buffer.byteLength(body)))
  response.writeHead(status, head as string[])
  // most answers have none, and two pieces would be two writes
  if (body === undefined) response.end()
  else response.end(body)
}
