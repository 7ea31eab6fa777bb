/** `apps apply` and `apps export` as processes of their own: killed in the middle, and given what no manifest is. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { POLICIES } from '../support/policies.ts'
import { makePlace, type Place, portico, type Serving } from '../support/serve.ts'

const gone: (() => void)[] = []
afterAll(() => {
  for (const remove of gone) remove()
})

async function place(): Promise<Place> {
  const made = await makePlace()
  gone.push(made.remove)
  return made
}

function folder(files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'portico-manifests-'))
  gone.push(() => rmSync(path, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return path
}

async function run(at: Place, ...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const running = portico([...words, '--config', at.config])
  const code = await running.exited
  return { code, out: running.out(), err: running.err() }
}

const manifest = (id: string) =>
  `id: ${id}\npolicy: plain\naudience: [staff]\noidc: { redirect_uris: [https://${id}.example.com/cb] }\n`
const MANY = 30
const many = () =>
  folder(
    Object.fromEntries(
      Array.from({ length: MANY }, (_, i) => [`a${String(i).padStart(3, '0')}.yaml`, manifest(`a${1000 + i}`)]),
    ),
  )

/** Kills the process in the instant in which it has printed so many rows. */
async function killedAfter(running: Serving, rows: number): Promise<void> {
  await running.printed(new RegExp(`(?:^\\+ created [^\\n]*\\n[^]*?){${rows}}`, 'm'))
  running.process.kill('SIGKILL')
  await running.exited
}

test('kill -9 at several points, and again: the same end, and no secret is lost', async () => {
  const manifests = many()
  const straight = await place()
  expect((await run(straight, 'apps', 'apply', manifests)).code).toBe(0)
  const wanted = folder({})
  await run(straight, 'apps', 'export', '--all', wanted)
  const at = await place()
  const secrets = new Map<string, string>()
  const read = (out: string) => {
    // a line that the kill has cut off tells nothing
    for (const [, id, secret] of out.matchAll(/^[+=~] \w+ +(a\d+) secret ([\w-]{43})(?: .*)?$/gm)) {
      expect(secrets.get(id!) ?? secret, 'the same secret as before').toBe(secret)
      secrets.set(id!, secret!)
    }
  }
  const created = new Set<string>()
  const told = (out: string) => {
    // what was told as done is there, or else it would be made a second time
    for (const [, id] of out.matchAll(/^\+ created +(\w+) /gm)) {
      expect(created, 'made once').not.toContain(id)
      created.add(id!)
    }
  }
  for (const rows of [1, 7]) {
    const running = portico(['apps', 'apply', manifests, '--config', at.config])
    await killedAfter(running, rows)
    read(running.out())
    told(running.out())
  }
  const last = await run(at, 'apps', 'apply', manifests)
  expect(last.code).toBe(0)
  read(last.out)
  told(last.out)
  expect(secrets.size, 'every secret was shown').toBe(MANY)
  const found = folder({})
  await run(at, 'apps', 'export', '--all', found)
  const texts = (path: string) => readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')])
  expect(texts(found)).toEqual(texts(wanted))
  const again = await run(at, 'apps', 'apply', manifests)
  expect(again.out).not.toContain('secret')
  expect(again.out).toContain(`plan: 0 to create, 0 to change, 0 to remove, ${MANY} unchanged`)
}, 600_000)

test('a folder of every kind of file: what is no manifest is named with its place, and the rest is applied', async () => {
  const at = await place()
  const manifests = folder({
    'apps/wiki.yaml': manifest('wiki'),
    'apps/deep/er/stock.yml': manifest('stock'),
    'apps/README.md': 'Ask the owners first.',
    'apps/.hidden.yaml': 'no: [',
    'apps/shop.yaml~': manifest('shop'),
    'apps/empty.yaml': '',
    'apps/latin.yaml': '',
    'apps/half.yaml': `${manifest('half')}---\nid: half-2\npolicy: "defa`,
  })
  const apps = join(manifests, 'apps')
  writeFileSync(join(apps, 'latin.yaml'), Buffer.from('id: caf\xe9\n', 'latin1'))
  symlinkSync('.', join(apps, 'loop'))
  symlinkSync('circle.yaml', join(apps, 'circle.yaml'))
  symlinkSync('../..', join(apps, 'up.yaml'))
  symlinkSync('wiki.yaml', join(apps, 'linked.yml'))
  expect(spawnSync('mkfifo', [join(apps, 'pipe.yaml')]).status).toBe(0)
  const { code, out } = await run(at, 'apps', 'apply', apps, '--prune')
  expect(code).toBe(1)
  const named = (name: string, code: string) =>
    expect(out).toMatch(new RegExp(`^${join(apps, name).replaceAll('.', '\\.')}:\\d+:\\d+ ${code} `, 'm'))
  named('shop.yaml~', 'file-name')
  named('empty.yaml', 'manifests-missing')
  named('latin.yaml', 'file-encoding')
  named('half.yaml', 'yaml-invalid')
  named('loop', 'file-name')
  named('circle.yaml', 'file-unreadable')
  named('up.yaml', 'file-kind')
  named('pipe.yaml', 'file-kind')
  // two files say `wiki`, so neither is taken
  named('wiki.yaml', 'app-twice')
  expect(out).not.toContain('hidden')
  expect(out).toContain('applied: 1 created, 0 changed, 0 removed, 0 unchanged, 2 refused')
  expect((await run(at, 'apps', 'list')).out).toMatch(/^stock {2}/)
}, 600_000)

test('an app whose policy there is not stays as it was: nobody could open it', async () => {
  const at = await place()
  const first = folder({ 'wiki.yaml': manifest('wiki') })
  expect((await run(at, 'apps', 'apply', first)).code).toBe(0)
  const mistyped = folder({ 'wiki.yaml': manifest('wiki').replace('plain', 'plian') })
  for (const flags of [['--dry-run'], []]) {
    const { code, out } = await run(at, 'apps', 'apply', mistyped, ...flags)
    expect(code).toBe(1)
    expect(out).toContain(`${join(mistyped, 'wiki.yaml')}:2:9 policy-unknown `)
    expect(out).toContain('names no policy: `plian`; did you mean `plain`?')
  }
  expect((await run(at, 'apps', 'show', 'wiki')).out).toMatch(/^policy +plain$/m)
  const add = ['apps', 'add', 'grafana', '--set', 'base_url=https://grafana.example.com', '--audience', 'staff']
  const added = await run(at, ...add, '--policy', 'strikt')
  expect(added.code).toBe(2)
  expect(added.err).toContain(
    'policy-unknown: `policy` names no policy: `strikt`; did you mean `strict`? (--policy NAME)',
  )
  // with policies that nobody can read, nothing is said about their names
  writeFileSync(join(at.config, '../policies/plain.yaml'), 'policy: [')
  expect((await run(at, ...add, '--policy', 'strict')).code).toBe(0)
  expect((await run(at, 'apps', 'list')).out).toMatch(/^grafana .*\nwiki /)
  // published ones count, whatever the folder says later
  writeFileSync(join(at.config, '../policies/plain.yaml'), POLICIES['plain.yaml'])
  writeFileSync(
    join(at.config, '../policies/administrators.yaml'),
    POLICIES['plain.yaml'].replace('plain', 'administrators').replace('[staff]', '[administrators]'),
  )
  const published = await run(at, 'policy', 'publish')
  expect(published.code, published.out + published.err).toBe(0)
  writeFileSync(join(at.config, '../policies/late.yaml'), POLICIES['strict.yaml'].replace('strict', 'late'))
  const late = await run(at, ...add, '--id', 'late', '--policy', 'late')
  expect(late.code).toBe(2)
  expect(late.err).toContain('policy-unknown')
}, 600_000)

test('the plan comes before the rows, with values before and after; nothing in a manifest speaks to the terminal', async () => {
  const at = await place()
  const first = folder({ 'apps.yaml': `- ${manifest('wiki').trim().replaceAll('\n', '\n  ')}\n` })
  expect((await run(at, 'apps', 'apply', join(first, 'apps.yaml'))).out).toMatch(
    /^\+ create {4}wiki\nplan: .*\n\+ created {3}wiki secret /,
  )
  const second = folder({ 'wiki.yaml': `${manifest('wiki').replace('staff', '"\\e[2Jcare"')}name: "Wi\\u202eki"\n` })
  const dry = await run(at, 'apps', 'apply', second, '--dry-run')
  expect(dry.code).toBe(1)
  for (const control of ['\u001b', '\u202e']) expect(dry.out + dry.err).not.toContain(control)
  const third = folder({ 'wiki.yaml': manifest('wiki').replace('staff', 'care') })
  const { code, out } = await run(at, 'apps', 'apply', third)
  expect(code).toBe(0)
  expect(out.split('\n')).toEqual([
    '~ change    wiki',
    '    audience: ["staff"] -> ["care"]',
    'plan: 0 to create, 1 to change, 0 to remove, 0 unchanged',
    '~ changed   wiki',
    'applied: 0 created, 1 changed, 0 removed, 0 unchanged',
    '',
  ])
  const json = JSON.parse((await run(at, 'apps', 'apply', first, '--json')).out)
  expect(json).toEqual({
    written: true,
    problems: [],
    refused: [],
    kept: [],
    changes: [
      {
        id: 'wiki',
        action: 'change',
        result: 'done',
        keys: ['audience'],
        fields: [{ field: 'audience', before: ['care'], after: ['staff'] }],
      },
    ],
  })
}, 600_000)
