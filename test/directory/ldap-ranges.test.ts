/** Lists that come in parts, from a server that does not play by the rules: all values, or an error, and always an end. */
import type { Entry } from 'ldapts'
import { expect, test } from 'vitest'
import { type AskRange, everyValue, isCut } from '../../src/directory/kinds/ldap-ranges.ts'

const DN = 'cn=many,dc=kestrel,dc=example'
const part = (range: string, ...values: string[]): Entry => ({ dn: DN, [`member;range=${range}`]: values })
/** Answers one after the other, and then nobody. */
function server(...answers: (Entry | undefined)[]) {
  const asked: string[] = []
  const ask: AskRange = async (dn, attribute) => {
    asked.push(`${dn} ${attribute}`)
    if (asked.length > 20) throw new Error('kept busy for ever')
    return answers.length > 1 ? answers.shift() : answers[0]
  }
  return { ask, asked }
}
async function all(entry: Entry, ask: AskRange): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = []
  for await (const values of everyValue(entry, 'member', ask)) found.push(...values)
  return found
}

test('every part is asked for where the one before ended, to the last', async () => {
  const { ask, asked } = server(part('2-3', 'c', 'd'), part('4-*', 'e'))
  expect(await all(part('0-1', 'a', 'b'), ask)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(asked).toEqual([`${DN} member;range=2-*`, `${DN} member;range=4-*`])
})

test('a list that came whole is asked for no further, and neither is one that is not there', async () => {
  const { ask, asked } = server(undefined)
  expect(await all({ dn: DN, member: ['a', 'b'] }, ask)).toEqual(['a', 'b'])
  expect(await all(part('0-*', 'a'), ask)).toEqual(['a'])
  expect(await all({ dn: DN }, ask)).toEqual([])
  expect(asked).toEqual([])
})

test.each<[string, Entry | undefined]>([
  ['the same part again and again', part('0-1', 'a', 'b')],
  ['a part further on', part('3-*', 'd')],
  ['an entry without the list', { dn: DN }],
  ['the list under its plain name', { dn: DN, member: ['c'] }],
  ['a part without values', part('2-*')],
  ['a part that ends before it begins', part('2-1', 'c')],
  ['a part with other numbers', part('2-x', 'c')],
  ['nobody', undefined],
])('half a list is never taken for the whole, where the server answers %s', async (_what, answer) => {
  await expect(all(part('0-1', 'a', 'b'), server(answer).ask)).rejects.toThrow('a range of values is missing')
})

test.each<[string, Entry]>([
  ['a part with other numbers', part('0-x', 'a')],
  ['a part without numbers', part('', 'a')],
  ['a part that does not begin at the beginning', part('2-*', 'c')],
  ['a part that ends before it begins', part('1-0', 'a')],
  ['a part without values, and more to come', part('0-1')],
  ['the list under its plain name besides', { dn: DN, member: ['a'], 'member;range=0-x': ['b'] }],
])('a list is unknown, and neither empty nor whole, where the first answer is %s', async (_what, entry) => {
  const { ask, asked } = server(undefined)
  await expect(all(entry, ask)).rejects.toThrow('a range of values is missing')
  expect(asked).toEqual([])
  expect(isCut(entry, 'member')).toBe(true)
})

test('a value that is no text is told to be there, in the first part and in a later one', async () => {
  const entry = { dn: DN, 'member;range=0-1': ['a', Buffer.from([0x62, 0xfc])] }
  const { ask } = server({ dn: DN, 'member;range=2-*': [Buffer.from('c'), Buffer.from([0xfc])] })
  expect(await all(entry as Entry, ask)).toEqual(['a', undefined, 'c', undefined])
})

test('whether a list was cut is known by its numbers, whatever the case of its name', () => {
  expect(isCut(part('0-1', 'a', 'b'), 'MEMBER')).toBe(true)
  expect(isCut({ dn: DN, 'Member;Range=0-1': ['a', 'b'] }, 'member')).toBe(true)
  expect(isCut(part('0-*', 'a', 'b'), 'member')).toBe(false)
  expect(isCut({ dn: DN, member: ['a'] }, 'member')).toBe(false)
  expect(isCut({ dn: DN, 'memberOf;range=0-1': ['a', 'b'] }, 'member')).toBe(false)
})
