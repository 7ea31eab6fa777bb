/** The version after this one, as far as a database notices: a copy of the tree with one more migration. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const LAST = '  ...probeMigrations,\n]'

export interface NextVersion {
  /** What is run of it. */
  readonly main: string
  /** The migration that only it has. */
  readonly migration: string
  remove(): void
}

/** `up`: what its migration does, in TypeScript, with `records`. */
export function makeNextVersion(up: string): NextVersion {
  const folder = mkdtempSync(join(tmpdir(), 'portico-next-'))
  const migration = 'next-001-more'
  cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true })
  for (const name of ['package.json', 'tsconfig.json']) cpSync(join(root, name), join(folder, name))
  for (const name of ['node_modules', 'apps-catalog', 'policies']) symlinkSync(join(root, name), join(folder, name))
  const house = join(folder, 'src/house.ts')
  const text = readFileSync(house, 'utf8')
  if (!text.includes(LAST)) throw new Error('the list of migrations ends otherwise')
  writeFileSync(
    house,
    text.replace(LAST, `  ...probeMigrations,\n  { name: '${migration}', async up(records) { ${up} } },\n]`),
  )
  return { main: join(folder, 'src/portico.js'), migration, remove: () => rmSync(folder, { recursive: true }) }
}
