/** Where an address is: countries, networks of countries, and sites with a place and a time zone of their own. */
import { isIPv4 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { createSites, type SiteRow } from '../../src/policy/sites.ts'
import { createZone, parseRange } from '../../src/policy/zones.ts'
import { load, policiesOf, problemsOf } from './house.ts'

const CSV = `cidr,site,city,latitude,longitude,country,zone
10.0.0.0/8,anywhere,,,,NL,
10.1.0.0/16,utrecht-1,Utrecht,52.09,5.12,NL,Europe/Amsterdam
10.1.2.0/24,lisbon-1,"Lisbon, PT",38.72,-9.14,PT,Europe/Lisbon
10.2.0.0/16,nowhere-1,,,,,
2001:db8:20::/48,auckland-1,Auckland,-36.85,174.76,NZ,Pacific/Auckland
`
const WORLD = {
  'sites.yaml': { networks: { sites: { file: 'sites.csv' } } },
  'sites.csv': CSV,
  'home.yaml': { networks: { home: { countries: ['NL', 'BE'] } } },
}

function ask(condition: string, wanted: unknown, facts: Facts) {
  const policies = policiesOf([{ name: 'r', when: { [condition]: wanted }, deny: {} }], WORLD)
  return decide(policies, facts, { policy: 'p' }).trace[0]!.conditions[0]!
}

const from = (network: Facts['network']): Facts => ({ network })
const ip = (address: string) => from({ ip: address })

describe('country', () => {
  test.each<[unknown, Facts['network'] | undefined, unknown]>([
    [['NL', 'BE'], { country: 'BE' }, true],
    ['NL', { country: 'NL' }, true],
    [['NL'], { country: 'DE' }, false],
    [['NL'], {}, 'unknown'],
    [['NL'], undefined, 'unknown'],
    [{ in: ['NL'] }, { country: 'NL' }, true],
    [{ outside: ['NL', 'BE'] }, { country: 'DE' }, true],
    [{ outside: ['NL', 'BE'] }, { country: 'NL' }, false],
    [{ outside: ['NL'] }, {}, 'unknown'],
    [{ in: ['NL', 'BE'], outside: ['BE'] }, { country: 'BE' }, false],
    // what is not known may be listed by name
    [['NL', 'unknown'], {}, true],
    [['NL', 'unknown'], { country: 'DE' }, false],
    ['unknown', { country: 'NL' }, false],
    [{ outside: ['NL', 'unknown'] }, {}, false],
    [{ outside: ['NL', 'unknown'] }, { country: 'DE' }, true],
    [{ in: ['NL', 'unknown'], outside: ['RU'] }, {}, 'unknown'],
    [{ in: ['NL'], outside: ['RU', 'unknown'] }, {}, false],
    // and the long form says how it is taken
    [{ in: ['NL'], unknown: true }, {}, true],
    [{ outside: ['NL'], unknown: false }, {}, false],
    [{ in: ['NL'], unknown: true }, { country: 'DE' }, false],
    // known to be in no country
    [['NL', 'unknown'], { country: null }, false],
    [{ outside: ['NL', 'unknown'] }, { country: null }, true],
  ])('%j of %j is %s', (wanted, network, result) => {
    expect(ask('country', wanted, network ? from(network) : {}).result).toBe(result)
  })

  test('says what it saw, and why it does not know', () => {
    expect(ask('country', ['NL'], from({ country: 'DE' }))).toMatchObject({ seen: 'DE', result: false })
    expect(ask('country', ['NL'], {})).toMatchObject({
      seen: 'unknown',
      result: 'unknown',
      why: 'the country of the address is not known',
    })
  })

  test.each([
    ['nl', 'did you mean `NL`?'],
    ['UK', 'did you mean `GB`?'],
    ['DD', 'did you mean `DE`?'],
    ['unkown', 'did you mean `unknown`?'],
    ['EU', 'which is no country; expected'],
    ['ZZ', 'which is no country; expected'],
    ['Netherlands', 'which is no country; expected'],
    ['', 'which is no country; expected'],
  ])('%s is refused: %s', (code, said) => {
    for (const wanted of [code, [code], { in: ['NL', code] }, { outside: code }]) {
      const { problems } = load({
        'p.yaml': { policy: 'p', rules: [{ name: 'r', when: { country: wanted }, deny: {} }] },
      })
      expect(problems.map((problem) => problem.code)).toEqual(['unknown-country'])
      expect(problems[0]!.message).toContain(said)
    }
  })

  test.each([[[]], [{}], [{ in: [] }], [7], [{ inside: ['NL'] }], [null]])('%j is no form of it', (wanted) => {
    const rules = [{ name: 'r', when: { country: wanted }, deny: {} }]
    expect(load({ 'p.yaml': { policy: 'p', rules } }).problems).toHaveLength(1)
  })
})

describe('a network of countries', () => {
  test.each<[unknown, Facts['network'] | undefined, unknown]>([
    [['home'], { ip: '203.0.113.1', country: 'BE' }, true],
    [['home'], { ip: '203.0.113.1', country: 'DE' }, false],
    [['home'], { ip: '203.0.113.1' }, 'unknown'],
    [['home'], { country: 'NL' }, true],
    [['home'], undefined, 'unknown'],
    [{ outside: ['home'] }, { ip: '203.0.113.1', country: 'DE' }, true],
    [{ outside: ['home'] }, { ip: '203.0.113.1' }, 'unknown'],
    // a range that holds the address answers, whatever its country
    [['home', 'stores'], { ip: '192.0.2.1' }, true],
    [['home', 'stores'], { ip: '203.0.113.1' }, 'unknown'],
    [{ outside: ['home', 'stores'] }, { ip: '192.0.2.1' }, false],
    [{ outside: ['home', 'stores'] }, { ip: '203.0.113.1', country: 'DE' }, true],
    // and so does a country, whatever the address
    [['home', 'stores'], { country: 'NL' }, true],
    [['home', 'stores'], { country: 'DE' }, 'unknown'],
  ])('%j of %j is %s', (wanted, network, result) => {
    expect(ask('network', wanted, network ? from(network) : {}).result).toBe(result)
  })

  test.each([
    [{ countries: [] }, 'invalid'],
    [{ countries: ['NLD'] }, 'unknown-country'],
    [{ countries: ['unknown'] }, 'unknown-country'],
    [{ countries: ['NL'], ranges: ['10.0.0.0/8'] }, 'zone-invalid'],
    [{ countries: ['NL'], file: 's.csv' }, 'zone-invalid'],
  ])('cannot be %j', (zone, code) => {
    expect(problemsOf({ 'n.yaml': { networks: { z: zone } } }).map((line) => line.split(' ')[1])).toEqual([code])
  })
})

describe('a site', () => {
  test.each([
    ['10.1.0.1', 'NL'],
    ['10.1.2.3', 'PT'],
    ['::ffff:10.1.2.3', 'PT'],
    ['::ffff:a01:203', 'PT'],
    ['10.1.3.0', 'NL'],
    ['10.9.0.1', 'NL'],
    ['2001:db8:20:ffff::1', 'NZ'],
    ['2001:0DB8:0020:0000:0000:0000:0000:0001', 'NZ'],
    // the smallest range around an address counts, also where it says nothing
    ['10.2.0.1', 'unknown'],
    ['11.0.0.1', 'unknown'],
    ['2001:db8:21::1', 'unknown'],
  ])('tells the country of an address inside its range: %s is in %s', (address, country) => {
    expect(ask('country', ['US'], ip(address)).seen).toBe(country)
  })

  test('knows better than a database where it says something, part by part', () => {
    expect(ask('country', ['US'], from({ ip: '10.1.0.1', country: 'US' })).result).toBe(false)
    expect(ask('country', ['US'], from({ ip: '10.2.0.1', country: 'US' })).result).toBe(true)
    const previous = { at: 0, latitude: 52.09, longitude: 5.12 }
    const far = (network: Facts['network']) =>
      ask('travel.distance', { over: 100 }, { at: 3_600_000, network, history: { previous } })
    expect(far({ ip: '10.1.0.1', latitude: 0, longitude: 90 })).toMatchObject({ seen: ['0 km'], result: false })
    // `anywhere` has a country and no coordinates
    expect(far({ ip: '10.9.0.1', latitude: 38.72, longitude: -9.14 })).toMatchObject({
      seen: ['1850 km'],
      result: true,
    })
    expect(far({ ip: '10.9.0.1' })).toMatchObject({ result: 'unknown' })
  })

  describe('with a clock of its own', () => {
    const window = (between: string, days = 'mon-sun') => ({ days, between, zone: 'site' })
    const at = (time: string, network: Facts['network'], device?: Facts['device']): Facts => ({
      at: time,
      network,
      ...(device ? { device } : {}),
    })
    const utrecht = { ip: '10.1.0.1' }
    const lisbon = { ip: '10.1.2.3' }
    const auckland = { ip: '2001:db8:20::1' }

    test.each([
      ['2026-11-23T07:30:00Z', utrecht, true],
      ['2026-11-23T07:30:00Z', lisbon, false],
      ['2026-11-23T08:30:00Z', lisbon, true],
      ['2026-11-22T20:30:00Z', auckland, true],
      ['2026-11-23T08:30:00Z', auckland, false],
    ])('08:00-18:00 at %s from %j is %s', (time, network, result) => {
      expect(ask('time', window('08:00-18:00'), at(time, network)).result).toBe(result)
    })

    // Europe changes its clocks on 29 March and 25 October 2026 at 01:00 UTC, New Zealand on 5 April and 27 September
    test.each([
      ['02:15-02:45', '2026-03-29T01:20:00Z', utrecht, false, 'a window that the change skips never opens'],
      ['01:15-01:45', '2026-03-29T01:20:00Z', lisbon, false, 'in Lisbon it is the hour before'],
      ['02:00-03:00', '2026-03-29T01:20:00Z', lisbon, true, 'and the clock shows 02:20'],
      ['02:00-03:00', '2026-10-25T00:30:00Z', utrecht, true, 'for the first time'],
      ['02:00-03:00', '2026-10-25T01:30:00Z', utrecht, true, 'for the second time'],
      ['01:00-02:00', '2026-10-25T00:30:00Z', lisbon, true, 'for the first time'],
      ['01:00-02:00', '2026-10-25T01:30:00Z', lisbon, true, 'for the second time'],
      ['02:00-03:00', '2026-04-04T13:30:00Z', auckland, true, 'for the first time, in the autumn of the south'],
      ['02:00-03:00', '2026-04-04T14:30:00Z', auckland, true, 'for the second time'],
      ['02:15-02:45', '2026-09-26T14:20:00Z', auckland, false, 'a window that the change skips never opens'],
      ['22:00-06:00', '2026-03-29T03:59:00Z', utrecht, true, 'the short night'],
      ['22:00-06:00', '2026-03-29T04:00:00Z', utrecht, false, 'and its end'],
    ])('%s at %s from %j is %s: %s', (between, time, network, result) => {
      expect(ask('time', window(between), at(time, network)).result).toBe(result)
    })

    test('is the one of the device where the address is in no site, and else of nobody', () => {
      const home = { ip: '203.0.113.9' }
      const tablet = { site: 'lisbon-1' }
      const nine = '2026-11-23T09:00:00Z'
      expect(ask('time', window('08:00-09:30'), at(nine, home, tablet)).seen).toBe('mon 09:00')
      expect(ask('time', window('08:00-09:30'), at(nine, utrecht, tablet)).seen).toBe('mon 10:00')
      for (const facts of [
        at(nine, home),
        at(nine, home, { site: 'none' }),
        at(nine, { ip: '10.2.0.1' }),
        { at: nine },
      ])
        expect(ask('time', window('08:00-09:30'), facts)).toMatchObject({
          result: 'unknown',
          why: 'the time zone of the site is not known',
        })
    })
  })
})

describe('a file of sites', () => {
  const lines = (header: string, ...rows: string[]) =>
    load({
      'n.yaml': { networks: { z: { file: 's.csv' } } },
      's.csv': [`cidr,site,${header}`, ...rows.map((row) => `10.0.0.0/24,s,${row}`)].join('\n'),
    }).problems.map(({ line, code, message }) => `${line} ${code} ${message}`)

  test('may say nothing, or all of it, in any order and case', () => {
    expect(lines('latitude,longitude,country,zone', ',,,', '52.1,5.1,NL,Europe/Amsterdam', '-1,+2.5,,')).toEqual([])
    expect(lines('Zone, Country ,note,LONGITUDE,Latitude', 'Europe/Amsterdam,NL,"a, b",180,-90')).toEqual([])
  })

  test.each([
    ['latitude,longitude', '52.1,', 'without the other'],
    ['latitude,longitude', '91,5', '`latitude` is no number'],
    ['latitude,longitude', '52.1,181', '`longitude` is no number'],
    ['latitude,longitude', '52.1N,5', '`latitude` is no number'],
    ['latitude,longitude', '1e1,5', '`latitude` is no number'],
    ['latitude,longitude', 'NaN,5', '`latitude` is no number'],
    ['country', 'nl', 'did you mean `NL`?'],
    ['country', 'Holland', 'no country'],
    ['zone', 'Europe/Amsterdm', 'did you mean `Europe/Amsterdam`?'],
    ['zone', '+02:00', 'no time zone'],
  ])('with %s %s is refused: %s', (header, row, said) => {
    expect(lines(header, ',,'.slice(0, header.split(',').length - 1), row)).toEqual([
      expect.stringMatching(/^3 site-invalid /),
    ])
    expect(lines(header, row)[0]).toContain(said)
  })

  test.each([
    ['latitude', 'come together'],
    ['country,country', '`country` is there twice'],
  ])('with the columns %s is refused: %s', (header, said) => {
    expect(lines(header, ',')[0]).toMatch(/^1 site-columns /)
    expect(lines(header, ',')[0]).toContain(said)
  })

  test('without a first line that names its columns says nothing about places', () => {
    const { policies } = load({
      'n.yaml': { networks: { z: { file: 's.csv' } } },
      's.csv': '10.0.0.0/24,s,NL,52.1,5.1\n',
    })
    expect(policies!.sites.at('10.0.0.1')).toBeUndefined()
  })

  test('of 7,000 sites finds the one around an address, in both families', () => {
    const rows = Array.from({ length: 3500 }, (_, i) => [
      `10.${i >> 8}.${i & 255}.0/24,four-${i},${(i % 90) - 0.5},5,NL,Europe/Amsterdam`,
      `2001:db8:${i.toString(16)}::/48,six-${i},${(i % 90) - 0.5},5,BE,Europe/Brussels`,
    ]).flat()
    const { policies, problems } = load({
      'n.yaml': { networks: { z: { file: 's.csv' } } },
      's.csv': `cidr,site,latitude,longitude,country,zone\n${rows.join('\n')}\n`,
    })
    expect(problems).toEqual([])
    const { sites } = policies!
    for (const i of [0, 1, 255, 256, 1733, 3499]) {
      expect(sites.at(`10.${i >> 8}.${i & 255}.200`)).toMatchObject({ name: `four-${i}`, latitude: (i % 90) - 0.5 })
      expect(sites.at(`2001:db8:${i.toString(16)}:ffff::1`)).toMatchObject({ name: `six-${i}`, country: 'BE' })
    }
    expect(sites.at('10.13.172.0')).toBeUndefined()
    expect(sites.at('2001:db8:dac::')).toBeUndefined()
    expect(sites.at('9.255.255.255')).toBeUndefined()
    expect(sites.named('six-17')!.zone!.name).toBe('Europe/Brussels')
  })

  test('finds what asking every range would find, the smallest first', () => {
    const group = fc.constantFrom(0, 1, 2, 0x7fff, 0x8000, 0xffff)
    const four = fc
      .tuple(...[0, 0, 0, 0].map(() => fc.constantFrom(0, 1, 127, 128, 255)))
      .map((parts) => parts.join('.'))
    const six = fc
      .tuple(...[0, 0, 0, 0, 0, 0, 0, 0].map(() => group))
      .map((parts) => parts.map((part) => part.toString(16)).join(':'))
      .filter((text) => !text.startsWith('0:0:0:0:0:ffff:'))
    const address = fc.oneof(four, six)
    const range = address.chain((base) =>
      fc.integer({ min: 0, max: isIPv4(base) ? 32 : 128 }).map((bits) => `${base}/${bits}`),
    )
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), fc.array(address, { maxLength: 8 }), (ranges, addresses) => {
        const rows: SiteRow[] = ranges.map((text, i) => ({
          range: parseRange(text)!,
          site: { name: `${i}`, country: 'NL' },
        }))
        const sites = createSites(rows)
        for (const one of addresses) {
          const around = rows
            .filter(({ range: { address: base } }) => isIPv4(base) === isIPv4(one))
            .filter(({ range: inside }) => createZone('z', [inside]).contains(one))
            .sort((a, b) => b.range.bits - a.range.bits)
          expect(sites.at(one)?.name, `${one} in ${ranges}`).toBe(around[0]?.site.name)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
