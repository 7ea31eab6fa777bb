/** docs/policy.md: every form of every condition in its table is taken as it is written there, and so is each one in the text. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { load } from '../policy/house.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
const [chapter] = /## Conditions[\s\S]*?\n## /.exec(page)!
const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, inside]) => inside!)
const rows = [...chapter.matchAll(/^\| (`.+?) \| (.+?) \|$/gm)].map(([, conditions, forms]) => ({
  conditions: quoted(conditions!).map((name) => name.replace('<name>', 'grade')),
  forms: quoted(forms!),
}))

const NAMES = {
  'n.yaml': { networks: { zone: { ranges: ['192.0.2.0/24'] } } },
  's.yaml': { strengths: { a: [['password']], b: [['passkey']] } },
}
const problemsWith = (when: string) =>
  load({ ...NAMES, 'p.yaml': `policy: p\nrules:\n  - name: r\n    when: { ${when} }\n    allow: {}\n` }).problems

/** What a form that is not whole stands for. */
function wholeOf(condition: string, form: string): string {
  if (form === 'unknown') return '[NL, unknown]'
  if (form === '31d') return '{ over: 10, within: 31d }'
  if (form === 'zone: site') return '{ days: mon, zone: site }'
  if (condition === 'device.kind' && form === '[a, b]') return '[shared, personal]'
  return form.replace('[]', '[a]')
}

const cases = rows.flatMap(({ conditions, forms }) =>
  conditions.flatMap((condition) => forms.map((form) => [condition, wholeOf(condition, form)] as const)),
)

test('the table has more than thirty conditions, each with a form', () => {
  expect(new Set(cases.map(([condition]) => condition)).size).toBeGreaterThanOrEqual(30)
  for (const { forms } of rows) expect(forms.length).toBeGreaterThan(0)
})

test.each(cases)('%s: %s', (condition, form) => {
  expect(problemsWith(`${condition}: ${form}`)).toEqual([])
  // in the long form, with what is to be taken for the unknown
  const value = parse(form) as unknown
  const key = /^(device\.(known|enrolled)|client\.network_known)$/.test(condition) ? 'is' : 'in'
  const long = typeof value === 'object' && !Array.isArray(value) ? value : { [key]: value }
  expect(problemsWith(`${condition}: ${JSON.stringify({ ...(long as object), unknown: false })}`)).toEqual([])
  expect(problemsWith(`${condition}: { nonsense: 1 }`).length).toBeGreaterThan(0)
})

test('more than 31 days are too long for a count', () => {
  expect(problemsWith('frequency.prompts: { over: 10, within: 32d }').map(({ code }) => code)).toEqual(['invalid'])
})

test('the conditions in the text', () => {
  const written = quoted(chapter.replaceAll('stores', 'zone')).filter((text) =>
    /^(network|device\.known): \{/.test(text),
  )
  expect(written.length).toBe(2)
  for (const when of written) expect(problemsWith(when), when).toEqual([])
})
