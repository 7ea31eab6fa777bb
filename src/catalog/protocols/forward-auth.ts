/** An app that knows no protocol: a proxy in front of it asks us about each request. */
import { z } from 'zod'
import { isHost } from '../addresses.ts'
import { line, list } from '../words.ts'
import type { AppProtocol, Rule } from './protocol.ts'

/** In a template its hosts hold placeholders. */
const forwardAuthFields = {
  hosts: list(z.string().max(300), 20).describe('Host names of the app, with the port where it is not the usual one'),
  headers: list(line, 20).describe('Headers in which the app reads who is there'),
}

/** The stored form, in the words of a manifest. */
export interface ForwardAuthDefinition {
  readonly hosts: readonly string[]
  readonly headers: readonly string[]
}

export interface AppForwardAuth {
  readonly hosts: readonly string[]
  readonly headers: readonly string[]
}

const HOST = /^(.+?)(?::([1-9]\d{0,4}))?$/

/** What a template and a manifest may say. */
export const forwardAuthPart = z.strictObject(forwardAuthFields).partial()

export const forwardAuth: AppProtocol<z.output<typeof forwardAuthPart>, ForwardAuthDefinition, AppForwardAuth> = {
  key: 'forward_auth',
  base: (part, { all }) => ({ hosts: all(part?.hosts), headers: part?.headers ?? [] }),
  addresses: () => [],
  rules: ({ hosts }): Rule[] => [
    [hosts.length > 0, ['hosts'], 'host-missing', 'is missing, expected at least one host name'],
    ...hosts.map(
      (host, i): Rule => [
        isHost(HOST.exec(host)?.[1] ?? ''),
        ['hosts', i],
        'host-unsafe',
        'is no host name in lower case, like `wiki.example.com` or `wiki.example.com:8443`',
      ],
    ),
  ],
  names: ({ hosts }) => hosts.map((name) => ({ kind: 'host', name })),
  seen: ({ hosts, headers }) => ({ hosts, headers }),
}
