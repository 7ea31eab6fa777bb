/**
 * Where the gateways of tests keep short-lived state: with the records, or in the project `redis` of `vitest.config.ts` in a
 * Redis of their own.
 */
import { inject } from 'vitest'
import { type RedisServer, startRedis } from './redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    stateOn: 'redis' | undefined
  }
}

// the bench starts such gateways as well, and nothing is provided to it
const ON_REDIS = process.env['VITEST'] !== undefined && inject('stateOn') === 'redis'

const servers = new Map<string, { server: Promise<RedisServer>; users: number }>()

/** Gateways with the same records share it; the last that leaves ends it. */
export async function stateBeside(records: string): Promise<{ url: string; leave(): Promise<void> } | undefined> {
  if (!ON_REDIS) return undefined
  const shared = servers.get(records) ?? { server: startRedis(), users: 0 }
  servers.set(records, shared)
  shared.users++
  const server = await shared.server
  return {
    url: server.url,
    async leave() {
      if (--shared.users > 0) return
      servers.delete(records)
      await server.end()
    },
  }
}
