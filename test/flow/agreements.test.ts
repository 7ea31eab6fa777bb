/** What somebody agreed that apps may know, when two people become one. */
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '#core/log'
import { consentMigrations, createConsents } from '#protocol/oidc'
import { openStorage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

test('both agreements are the person’s, and the earlier one’s are gone', async () => {
  const clock = { now: () => 0 }
  const storage = await openStorage({
    url: await emptyStorageUrl(),
    clock,
    log: silentLog,
    migrations: consentMigrations,
  })
  onTestFinished(() => storage.close())
  const consents = createConsents(storage, clock)
  await consents.add('sam', 'web', ['openid', 'email'])
  await consents.add('sam', 'shop', ['openid'])
  await consents.add('kim', 'web', ['openid', 'profile'])
  for (let i = 0; i < 2; i++) await consents.move('sam', 'kim', storage.records)
  expect(await consents.find('kim', 'web')).toEqual(['openid', 'profile', 'email'])
  expect(await consents.find('kim', 'shop')).toEqual(['openid'])
  expect(await consents.ofPerson('sam')).toEqual([])
})
