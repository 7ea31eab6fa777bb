/** Trace context in the log: which lines belong to a trace of the operator's, and that nothing else gets in by that header. */
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createLog } from '#audit'
import { withTrace } from '#core/log'
import { traceIdOf } from '../../src/http/trace.ts'
import { startGateway } from '../support/gateway.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`

test('the trace of a header as W3C Trace Context writes it is known, that of later versions too', () => {
  expect(traceIdOf(PARENT)).toBe(TRACE)
  expect(traceIdOf(PARENT.replace(/^00/, 'cc'))).toBe(TRACE)
  expect(traceIdOf(`${PARENT.replace(/^00/, 'cc')}-what-comes-later`)).toBe(TRACE)
})

test.each([
  undefined,
  '',
  TRACE,
  PARENT.toUpperCase(),
  `${PARENT}-00`,
  `${PARENT}, ${PARENT}`,
  PARENT.replace(/^00/, 'ff'),
  PARENT.replace(TRACE, '0'.repeat(32)),
  PARENT.replace('00f067aa0ba902b7', '0'.repeat(16)),
  PARENT.replace(TRACE, 'sam@kestrel.example-------------'),
  `cc${PARENT.slice(2)}-${'x'.repeat(300)}`,
  `${PARENT}\n`,
])('%s is no trace', (header) => {
  expect(traceIdOf(header)).toBeUndefined()
})

test('ATTACK: whatever is sent, what comes of it is 32 hexadecimal digits that stood in it, or nothing', () => {
  const hex = fc.stringMatching(/^[\da-fA-F-]{0,80}$/)
  fc.assert(
    fc.property(fc.oneof(fc.string(), hex, fc.array(fc.string())), (header) => {
      const found = traceIdOf(header)
      expect(found === undefined || (/^[\da-f]{32}$/.test(found) && (header as string).includes(found))).toBe(true)
    }),
  )
})

test('lines that are said on the way have the trace, others have none, and no field can take its name', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } })
  log.info('before')
  withTrace(TRACE, () => log.info('on-the-way', { trace_id: 'of-somebody-else' }))
  log.info('after')
  expect(lines.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)).toEqual([
    undefined,
    TRACE,
    undefined,
  ])
  expect(JSON.parse(lines[1]!)).toMatchObject({ trace_id_: 'of-somebody-else' })
})

test('of requests at the same time each line has its own trace, and what is no trace leaves none', async () => {
  const gateway = await startGateway()
  onTestFinished(() => gateway.close())
  const traces = Array.from({ length: 8 }, (_, n) => `${n}`.repeat(31).padEnd(32, 'a'))
  const refused = (traceparent?: string) =>
    fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: traceparent === undefined ? {} : { traceparent },
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'nobody' }),
    }).then((response) => response.text())
  const answers = await Promise.all([
    ...traces.map((trace) => refused(`00-${trace}-00f067aa0ba902b7-01`)),
    refused(),
    refused('00-sam@kestrel.example-00f067aa0ba902b7-01'),
  ])
  const lines = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('"oidc-refused"'))
  expect(lines).toHaveLength(traces.length + 2)
  const found = lines.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)
  expect(found.toSorted()).toEqual([...traces, undefined, undefined].toSorted())
  expect(gateway.log()).not.toContain('sam@kestrel.example')
  // never told to whoever asks
  for (const answer of answers) for (const trace of traces) expect(answer).not.toContain(trace)
})
