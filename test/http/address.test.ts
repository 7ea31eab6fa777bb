import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createNetworks, json, type Route } from '#http'
import { clientAddress, UNKNOWN_ADDRESS } from '../../src/http/address.ts'
import { ask, serve } from './house.ts'

const proxies = createNetworks(['10.0.0.0/8', '2001:db8:1::/48'])

const from = (peer: string, headers: Record<string, string> = {}) =>
  clientAddress({ socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage, proxies)
const xff = (peer: string, list: string) => from(peer, { 'x-forwarded-for': list })
const forwarded = (peer: string, list: string) => from(peer, { forwarded: list })

test('without a proxy of ours the headers are ignored', () => {
  expect(xff('203.0.113.9', '192.0.2.1')).toBe('203.0.113.9')
  expect(forwarded('203.0.113.9', 'for=192.0.2.1')).toBe('203.0.113.9')
})

test('behind a proxy of ours the client is the nearest address that is no proxy of ours', () => {
  expect(xff('10.0.0.1', '192.0.2.1')).toBe('192.0.2.1')
  expect(xff('10.0.0.1', '192.0.2.1, 10.0.0.3, 10.0.0.2')).toBe('192.0.2.1')
  expect(forwarded('10.0.0.1', 'for=192.0.2.1;proto=https, for=10.0.0.2')).toBe('192.0.2.1')
  expect(from('10.0.0.1')).toBe('10.0.0.1')
})

test('what the client wrote itself stands left of its address and is never believed', () => {
  expect(xff('10.0.0.1', '192.0.2.1, 203.0.113.9')).toBe('203.0.113.9')
  expect(xff('10.0.0.1', '192.0.2.1, 203.0.113.9, 10.0.0.2')).toBe('203.0.113.9')
  expect(forwarded('10.0.0.1', 'for=192.0.2.1, for=203.0.113.9')).toBe('203.0.113.9')
  // a quote that is never closed would swallow what the proxy adds
  expect(forwarded('10.0.0.1', 'for="192.0.2.1, for=203.0.113.9')).toBe('203.0.113.9')
})

test('of two headers that disagree neither is believed, nor is it the proxy: it writes one and may pass on the other', () => {
  expect(from('10.0.0.1', { forwarded: 'for=192.0.2.1', 'x-forwarded-for': '203.0.113.9' })).toBe(UNKNOWN_ADDRESS)
  expect(from('10.0.0.1', { forwarded: 'for=203.0.113.9', 'x-forwarded-for': '203.0.113.9' })).toBe('203.0.113.9')
  expect(from('10.0.0.1', { forwarded: '', 'x-forwarded-for': '203.0.113.9' })).toBe(UNKNOWN_ADDRESS)
})

test('behind an entry that cannot be read the address is unknown, and not that of the proxy that wrote it', () => {
  for (const entry of [
    'unknown',
    '_hidden',
    '',
    'id.example.com',
    '192.0.2',
    '192.0.2.1.4',
    '010.0.0.9',
    '192.0.2.256',
  ])
    expect(xff('10.0.0.1', `192.0.2.1, ${entry}, 10.0.0.2`), entry).toBe(UNKNOWN_ADDRESS)
  expect(forwarded('10.0.0.1', 'proto=https;by=192.0.2.1')).toBe(UNKNOWN_ADDRESS)
})

test('ports and brackets belong to the writing, not to the address', () => {
  expect(xff('10.0.0.1', '192.0.2.1:4711')).toBe('192.0.2.1')
  expect(xff('10.0.0.1', '[2001:db8::1]:4711')).toBe('2001:db8::1')
  expect(forwarded('10.0.0.1', 'For="[2001:db8::1]:4711"')).toBe('2001:db8::1')
  expect(forwarded('10.0.0.1', 'proto=https; for=192.0.2.1 ;by=10.0.0.1')).toBe('192.0.2.1')
})

test('one address has one spelling', () => {
  expect(from('::ffff:203.0.113.9')).toBe('203.0.113.9')
  expect(xff('::ffff:10.0.0.1', '::ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(xff('10.0.0.1', '::FFFF:C000:0201')).toBe('192.0.2.1')
  expect(xff('2001:0db8:0001:0:0:0:0:1', '2001:DB8:0:0::A')).toBe('2001:db8::a')
  expect(from('fe80::1%eth0')).toBe('fe80::1')
})

test('only so many hops are walked', () => {
  expect(xff('10.0.0.1', ['192.0.2.1', ...Array(25).fill('10.0.0.2')].join(','))).toBe('10.0.0.2')
})

test('whatever a stranger sends, its own address is the answer', () => {
  const text = fc.string({ maxLength: 60 })
  fc.assert(
    fc.property(text, text, (a, b) => from('203.0.113.9', { forwarded: a, 'x-forwarded-for': b }) === '203.0.113.9'),
  )
})

test('whatever a client sends through our proxy, the address that the proxy saw is the answer', () => {
  const part = fc.constantFrom(
    'for=',
    '"',
    ',',
    ';',
    '192.0.2.1',
    '10.0.0.9',
    ' ',
    '\\',
    '[',
    ']',
    ':',
    '::1',
    'by=',
    '=',
  )
  const sent = fc.oneof(
    fc.array(part).map((parts) => parts.join('')),
    fc.string({ maxLength: 40 }),
  )
  fc.assert(
    fc.property(sent, (text) => {
      expect(xff('10.0.0.1', `${text},203.0.113.9`)).toBe('203.0.113.9')
      expect(forwarded('10.0.0.1', `${text}, for=203.0.113.9`)).toBe('203.0.113.9')
    }),
  )
})

test('a handler is told the address of a real connection, repeated headers joined in their order', async () => {
  const routes: Route[] = [{ method: 'GET', path: '/', handle: ({ address }) => json(address) }]
  const behind = await serve({ routes, proxies: ['127.0.0.0/8'] })
  const bare = await serve({ routes })
  try {
    const headers = { 'x-forwarded-for': ['192.0.2.1', '203.0.113.9'] }
    expect((await ask(behind.origin, { headers })).body).toBe('"203.0.113.9"')
    expect((await ask(bare.origin, { headers })).body).toBe('"127.0.0.1"')
  } finally {
    await Promise.all([behind.close(), bare.close()])
  }
})
