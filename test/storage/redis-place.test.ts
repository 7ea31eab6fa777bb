/** What is wrong with `state.url` is said in a sentence, without what may be a password. */
import { expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'

const open = (url: string) =>
  openStorage({ url: 'sqlite::memory:', state: { url }, clock: systemClock, log: silentLog, migrations: [] })

test.each([
  ['redis://', 'is no address of a Redis'],
  ['redis://:hunter2@', 'is no address of a Redis'],
  ['redis://:hunter2@a,b', 'names several servers'],
  ['redis://:hunter2@a:70000', 'no `host:port`'],
  ['redis://:hunter2@a:b:c', 'no `host:port`'],
  ['redis://:hunter2@a/name', 'no number of a database'],
  ['redis://:hunter2@a/1/2', 'no number of a database'],
  ['redis://:hunter2%ZZ@a', 'a `%` that stands for nothing'],
  ['redis://:hunter2@a?tls=true', 'an option that is not known'],
  ['redis+sentinel://:hunter2@a,b', 'what the sentinels call their primary'],
  ['redis+sentinel://:hunter2@a/name?password=x', 'an option that is not known'],
  ['redis+cluster://:hunter2@a/3', 'a cluster has only one'],
  ['memcached://:hunter2@a', 'state.url names no known driver; known: redis, rediss, redis+sentinel, redis+cluster'],
])('`%s`: %s', async (url, why) => {
  const error = await open(url).then(
    () => undefined,
    (thrown: { code: string; detail: string }) => thrown,
  )
  expect(error).toMatchObject({ code: 'storage-unavailable' })
  expect(error!.detail).toContain(why)
  expect(error!.detail).toMatch(/^state\.url/)
  expect(error!.detail).not.toContain('hunter2')
})
