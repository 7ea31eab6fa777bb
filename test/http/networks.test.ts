import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createNetworks, isSpecialUse, normaliseAddress } from '#http'

test('an address is read strictly: what other parsers guess at is none', () => {
  for (const text of [
    '010.1.1.1',
    '0x7f.0.0.1',
    '127.1',
    '2130706433',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4/8',
    '::g',
    '1.2.3.4\n',
    '',
  ])
    expect(normaliseAddress(text), text).toBeUndefined()
  expect(normaliseAddress(undefined)).toBeUndefined()
})

test('an address keeps its spelling once it has the one of Portico', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6())
  fc.assert(
    fc.property(address, (text) => {
      const once = normaliseAddress(text)!
      expect(once).toBeDefined()
      expect(normaliseAddress(once)).toBe(once)
      expect(normaliseAddress(text.toUpperCase())).toBe(once)
      expect(normaliseAddress(`[${text}]`)).toBe(once)
    }),
  )
})

test('an IPv4 address written as IPv6 is the same address', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => normaliseAddress(`::ffff:${text}`) === text))
  expect(normaliseAddress('0:0:0:0:0:ffff:7f00:1')).toBe('127.0.0.1')
})

test('networks hold addresses and ranges of both families', () => {
  const networks = createNetworks(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])
  for (const inside of ['10.255.255.255', '192.0.2.7', '2001:db8:ffff::1', '::1'])
    expect(networks.has(inside)).toBe(true)
  for (const outside of ['11.0.0.0', '192.0.2.8', '2001:db9::', '::2', 'nonsense', ''])
    expect(networks.has(outside)).toBe(false)
  expect(createNetworks([]).has('127.0.0.1')).toBe(false)
})

test('addresses that are no public destination are special', () => {
  const special =
    `0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1
    192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1
    ::ffff:127.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1
    fc00::1 fdff::1 fe80::1 febf::1 ff02::1 fe80::1%lo`.split(/\s+/)
  expect(special.filter((address) => !isSpecialUse(address))).toEqual([])
})

test('public addresses are not special, and what is no address is', () => {
  const open = [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '2606:4700::1',
    '2a00::1',
    '::ffff:1.1.1.1',
  ]
  expect(open.filter(isSpecialUse)).toEqual([])
  expect(isSpecialUse('id.example.com')).toBe(true)
})
