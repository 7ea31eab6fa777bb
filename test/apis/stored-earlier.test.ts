/** APIs that were stored before there were limits: their dangerous types are refused, and nothing else suffers. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyApis, post } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'
import { asked, LEDGER, ledger, PAY, payments, SEE, startPayments } from '../support/payments.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startPayments()
})
afterAll(() => gateway?.close())

async function tokenFor(detail: object) {
  const fields = { grant_type: 'client_credentials', authorization_details: asked(detail) }
  const answer = await post(gateway, 'token', 'payer', fields)
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) } as Record<string, unknown>
}

/** As a version without limits has written it. */
async function store(change: (schema: Record<string, never>) => object): Promise<void> {
  const records = gateway.server.house.storage.records.withTables<{ apis: { id: string; json: string } }>()
  const { json } = await records
    .selectFrom('apis')
    .select('json')
    .where('id', '=', 'payments')
    .executeTakeFirstOrThrow()
  const row = JSON.parse(json)
  const { payment } = row.authorization_details
  payment.schema = { ...payment.schema, properties: { ...payment.schema.properties, ...change(payment.schema) } }
  await records
    .updateTable('apis')
    .set({ json: JSON.stringify(row) })
    .where('id', '=', 'payments')
    .execute()
  // what servers know of the APIs is over with any change of one
  await applyApis(gateway, { ...ledger, name: `Ledger ${++changes}` })
}
let changes = 0

const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`f${i}`, { type: 'string', maxLength: 9 }]))
const deep = (): object => JSON.parse(`${'{"type":"array","items":'.repeat(3000)}{"type":"string"}${'}'.repeat(3000)}`)

test.each<[string, () => object]>([
  ['a pattern that can be tried for hours', () => ({ note: { type: 'string', maxLength: 99, pattern: '^(a+)+$' } })],
  ['more values than a schema may describe', () => many],
  ['a schema that is nested without end', () => ({ note: deep() })],
])('%s', async (_, change) => {
  await store(change)
  const refused = await tokenFor({ ...PAY, note: `${'a'.repeat(20)}b` })
  expect(refused).toMatchObject({ status: 400, error: 'invalid_authorization_details' })
  expect(refused['error_description']).toMatch(/'payment': the API has to describe this type anew/)
  expect(gateway.log()).toMatch(/"event":"api-type-refused","api":"payments","type":"payment"/)
  // the other type of this API, and the other API
  expect(await tokenFor(SEE)).toMatchObject({ status: 200 })
  expect(await tokenFor({ type: 'entry', locations: [LEDGER], text: 'one' })).toMatchObject({ status: 200 })
  await applyApis(gateway, payments)
  expect(await tokenFor(PAY)).toMatchObject({ status: 200 })
})
