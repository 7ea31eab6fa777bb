import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLog, type LogLevel } from '#audit'
import type { LogFields } from '#core/log'
import { Refusal } from '#core/refusal'

function logged(write: (log: ReturnType<typeof createLog>) => void, level: LogLevel = 'info'): string {
  let text = ''
  write(
    createLog({
      level,
      stream: {
        write: (line: string) => {
          text += line
        },
      },
    }),
  )
  return text
}
const line = (write: (log: ReturnType<typeof createLog>) => void) =>
  JSON.parse(logged(write)) as Record<string, unknown>

test('a line is one JSON object with level, time, event and the fields', () => {
  expect(
    line((log) => log.warn('policies-slow', { policy: 'default', took: 12.5, cold: true, ref: undefined })),
  ).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    event: 'policies-slow',
    policy: 'default',
    took: 12.5,
    cold: true,
  })
  const two = logged((log) => {
    log.info('a', { text: 'with\na line break' })
    log.error('b')
  })
  expect(two.trimEnd().split('\n')).toHaveLength(2)
})

test('levels below the chosen one are silent', () => {
  const all = (log: ReturnType<typeof createLog>) => {
    log.info('i')
    log.warn('w')
    log.error('e')
  }
  const events = (level: LogLevel) =>
    logged(all, level)
      .split('\n')
      .filter(Boolean)
      .map((text) => (JSON.parse(text) as { event: string }).event)
  expect(events('debug')).toEqual(['i', 'w', 'e'])
  expect(events('warn')).toEqual(['w', 'e'])
  expect(events('silent')).toEqual([])
})

test('a field cannot take the place of level, time, event or error', () => {
  const fields = { level: 'x', time: 1, event: 'y', error: 'z' }
  expect(line((log) => log.info('real', fields))).toMatchObject({
    level: 'info',
    event: 'real',
    level_: 'x',
    time_: 1,
    event_: 'y',
    error_: 'z',
  })
})

test('objects and functions are left out, whatever the types said', () => {
  const fields = { person: { name: 'Anna' }, list: ['Anna'], run: () => 'Anna', fine: 1 } as unknown as LogFields
  const text = logged((log) => log.info('x', fields))
  expect(text).not.toContain('Anna')
  expect(text).toContain('"fine":1')
})

const CANARY = 'Anna de Vries anna@kestrel.example +31 6 1234 5678 hunter2'

test('the message of a foreign error never comes out, not even by its cause, its parts or a forged frame', () => {
  const forged = `${CANARY}\n    at Anna (/home/anna/vries.ts:1:1)\n    at ${CANARY} (/x.ts:1:1)`
  const cause = Object.assign(new TypeError(forged), { code: 'ERR_X', syscall: 'open', path: CANARY, value: CANARY })
  const several = new AggregateError([new Error(CANARY), CANARY], CANARY, { cause })
  const unnamed = Object.assign(new Error(CANARY), { name: CANARY, code: CANARY })
  const refusal = new Refusal('directory-unavailable', 'directory `hr`: no answer in 3 s', { cause: several })
  const noStack = Object.assign(new Error(CANARY), { stack: `Error: ${CANARY}\n    at Anna Vries (nowhere)` })
  for (const thrown of [cause, several, unnamed, refusal, noStack, CANARY, { message: CANARY }, null]) {
    const text = logged((log) => log.error('failed', {}, thrown))
    expect(text).not.toMatch(/anna|vries|hunter2|1234|kestrel/i)
  }
})

test('of an error come name, code and frames, of a refusal also its detail, down to the causes', () => {
  const cause = Object.assign(new RangeError('x'), { code: 'ECONNREFUSED', syscall: 'connect' })
  const { error } = line((log) => log.error('failed', {}, new Refusal('overloaded', 'queue: 40 waiting', { cause })))
  expect(error).toMatchObject({
    name: 'Refusal',
    code: 'overloaded',
    detail: 'queue: 40 waiting',
    cause: { name: 'RangeError', code: 'ECONNREFUSED', syscall: 'connect' },
  })
  const { stack } = error as { stack: string[] }
  expect(stack.length).toBeGreaterThan(0)
  expect(stack[0]).toContain('log.test.ts')
})

test('frames survive a message of any form', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ' ', '\n', '    at x (/y:1:1)', '(', ')', '@', '$&') }),
      (message) => {
        const { error } = line((log) => log.error('failed', {}, new Error(message)))
        expect((error as { stack: string[] }).stack.some((frame) => frame.includes('log.test.ts'))).toBe(true)
      },
    ),
    { numRuns: 200 },
  )
})

test('mail addresses, telephone numbers, tokens and query strings are cut out of texts', () => {
  const { why } = line((log) =>
    log.info('x', {
      why: 'anna.de-vries+1@mail.kestrel.example called +31 (0)6 12-34-56-78 with eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln at https://a.example/cb?code=c0de#frag, ldaps://admin:pw@dir.example/',
    }),
  )
  expect(why).toBe('[mail] called [number] with [token] at https://a.example/cb?[redacted] ldaps://dir.example/')
})

test('fields with the name of something secret or personal are redacted', () => {
  const fields = {
    password: 'a',
    client_secret: 'b',
    username: 'c',
    givenName: 'd',
    mail: 'e',
    cookie: 'f',
    refreshToken: 'g',
  }
  const found = line((log) => log.info('x', fields))
  for (const name of Object.keys(fields)) expect(found[name], name).toBe('[redacted]')
  expect(line((log) => log.info('x', { kid: 'k1', count: 3 }))).toMatchObject({ kid: 'k1', count: 3 })
})

test('ids, versions, file names and times come through as they are', () => {
  const fields = {
    id: 'bW9yZSB0aGFuIGFuIGlk-_x',
    version: `sha256:${'0'.repeat(64)}`,
    file: '/app/node_modules/@node-rs/argon2/index.js',
    at: '2026-11-22T05:55:06.561Z',
    address: 3000,
    listen: 'http://127.0.0.1:3000',
    receipt: '7K4Q-92MD',
  }
  const { address: _, ...rest } = fields
  expect(line((log) => log.info('x', fields))).toMatchObject(rest)
})
