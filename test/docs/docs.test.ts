/** The README and docs/: what they name exists, and what they tell to type can be typed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allVerbs } from '#cli'
import { loadSettings } from '#config'
import { parseArguments } from '../../src/cli/arguments.ts'
import { doctorVerbs } from '../../src/doctor.ts'
import { migrateVerbs } from '../../src/migrate.ts'
import { serveVerbs } from '../../src/serve.ts'

const VERBS = await allVerbs()

const root = join(import.meta.dirname, '../..')
const pages = ['README.md', 'SECURITY.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
)
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const verbs = [...serveVerbs, ...doctorVerbs, ...migrateVerbs, ...VERBS]

/** Texts between backticks, and the lines of shell blocks without comments. */
function quoted(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.split('\n'))
  const inline = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`]+)`/g)].map(([, inside]) => inside!)
  return [...inline, ...blocks].map((line) => line.replace(/\s+/g, ' ').replace(/ #.*$/, '').trim())
}

/** Words as a shell would cut them; nothing but quotes occurs. */
const words = (line: string) => [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!)

describe.each(pages)('%s', (page) => {
  const texts = quoted(read(page))

  test('names only files that exist', () => {
    const paths = texts.filter((text) => /^(src|test|docs|demo|policies|apps-catalog|bench)\/[\w./-]*$/.test(text))
    const missing = paths.filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })

  test('tells only commands that exist, with flags that they take', () => {
    const commands = texts
      .map((text) => /^(?:npx )?portico ([a-z].*)$/.exec(text)?.[1])
      .filter((command) => command !== undefined && command !== 'help')
    const wrong = commands.flatMap((command) => {
      const parsed = parseArguments(words(command!), verbs)
      return 'wrong' in parsed ? [`${command}: ${parsed.wrong}`] : []
    })
    expect(wrong).toEqual([])
  })
})

test('the README is short, and its settings file can be used', () => {
  const readme = read('README.md')
  expect(readme.split('\n').length).toBeLessThanOrEqual(200)
  const folder = mkdtempSync(join(tmpdir(), 'portico-docs-'))
  try {
    const file = join(folder, 'portico.yaml')
    writeFileSync(file, /```yaml\n([\s\S]*?)```/.exec(readme)![1]!)
    expect(loadSettings(file, {})).toMatchObject({ problems: [], settings: { issuer: 'https://id.example.com' } })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the floor plan of the README has the rooms that exist', () => {
  const doors = JSON.parse(read('package.json')).imports as Record<string, string>
  const rooms = Object.keys(doors)
    .map((name) => name.slice(1))
    .filter((name) => name !== 'core/*')
    .filter((name) => existsSync(join(root, doors[`#${name}`]!)))
  const plan = /## Floor plan[\s\S]*?\n## /.exec(read('README.md'))![0]
  expect(rooms.filter((room) => !plan.includes(`\`${room}\``))).toEqual([])
  expect(rooms.length).toBeGreaterThan(10)
})
