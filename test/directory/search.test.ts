import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openHouse } from './house.ts'

test('a part of the user name, the name or the mail address finds people, as they are now', async () => {
  const { people } = await openHouse()
  const ada = await people.add({ username: 'ada.l', name: 'Ada Lovelace', mail: 'countess@kestrel.example' }, 'cli')
  await people.add({ username: 'grace', name: 'Grace "Amazing" Hopper', mail: 'grace@kestrel.example' }, 'cli')
  const found = async (search: string) => (await people.list({ search })).map(({ username }) => username)
  expect(await found('lovel')).toEqual(['ada.l'])
  expect(await found('DA.L')).toEqual(['ada.l'])
  expect(await found('countess@kes')).toEqual(['ada.l'])
  expect(await found('@kestrel')).toEqual(['ada.l', 'grace'])
  expect(await found('"amazing"')).toEqual(['grace'])
  expect(await found('gr')).toEqual(['grace'])
  expect(await found('a*')).toEqual([])
  // neither across two fields nor by what only looks like it
  expect(await found('lAda')).toEqual([])
  expect(await found('lov_lace')).toEqual([])
  await people.change(ada.id, { name: 'Augusta King' }, 'cli')
  expect([await found('lovel'), await found('augusta')]).toEqual([[], ['ada.l']])
  await people.change(ada.id, { mail: undefined }, 'cli')
  expect([await found('lovel'), await found('countess'), await found('augusta')]).toEqual([[], [], ['ada.l']])
  await people.remove(ada.id, 'cli')
  expect(await found('augusta')).toEqual([])
})

test('what is common is found as well as what is rare, page by page', async () => {
  const { people } = await openHouse()
  const rows = Array.from({ length: 1500 }, (_, i) => `user${i},Person ${i},user${i}@kestrel.example`)
  for await (const { result } of people.import(`username,name,mail\n${rows.join('\n')}`, { format: 'csv' }, 'cli'))
    expect(result).toBe('added')
  const first = await people.list({ search: 'kestrel' })
  expect(first).toHaveLength(100)
  expect((await people.list({ search: 'kestrel', after: first.at(-1)!.id, limit: 1000 })).length).toBe(1000)
  expect((await people.list({ search: 'user149@kestrel' })).map(({ username }) => username)).toEqual(['user149'])
  expect((await people.list({ search: 'user149' })).map(({ username }) => username).sort()).toEqual(
    ['user149', ...Array.from({ length: 10 }, (_, i) => `user149${i}`)].sort(),
  )
})

test('it finds whom a look at everybody would find, whatever the letters', async () => {
  const { people } = await openHouse()
  const names = [
    'Zoë Bakker',
    'ZOË',
    'İstanbul',
    'straße',
    'STRASSE',
    '李小龍先生',
    'Мария Иванова',
    "o'neill % _ \\ x",
  ]
  for (const [i, name] of names.entries()) await people.add({ username: `p${i}`, name }, 'cli')
  const fold = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  const parts = fc.constantFrom(...names).chain((name) => {
    const letters = [...name]
    return fc
      .tuple(fc.nat(letters.length - 1), fc.integer({ min: 1, max: 6 }))
      .map(([from, length]) => letters.slice(from, from + length).join(''))
  })
  await fc.assert(
    fc.asyncProperty(parts, async (part) => {
      const wanted = part.trim().normalize('NFC').toLowerCase().normalize('NFC')
      if (wanted === '') return
      const expected = names.flatMap((name, i) => (fold(name).includes(fold(wanted)) ? [`p${i}`] : []))
      const found = (await people.list({ search: part })).map(({ username }) => username)
      expect(found).toEqual([...new Set([...expected, ...found.filter((one) => one.includes(wanted))])].sort())
    }),
    { numRuns: 200 },
  )
})
