/** The container image, built from the Dockerfile as it is and run as it says, with tools from Debian (`deploy/try-image.sh`). */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** Everything of a Debian and of the registry is fetched and unpacked. */
const LONG = 20 * 60_000
const folder = mkdtempSync(join(tmpdir(), 'portico-image-test-'))
let [out, code]: [string, number | null] = ['', null]

beforeAll(async () => {
  ;[out, code] = await new Promise((resolve) => {
    const child = execFile(
      join(root, 'deploy/try-image.sh'),
      // an empty folder of its own, for what it leaves behind would be seen there
      { env: { ...process.env, TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: '1' }, maxBuffer: 1e8 },
      (_error, stdout, stderr) => resolve([`${stdout}\n${stderr}`, child.exitCode]),
    )
  })
}, LONG)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every step of the Dockerfile succeeds on a base that was made here', () => {
  expect(code, out.slice(-4000)).toBe(0)
  expect(out).toMatch(/^STEP 1\/(\d+): FROM node:26-slim\n[\s\S]*^STEP \1\/\1: CMD /m)
  expect(out).toContain('--- all well: built from ')
})

test('it runs as a user without rights, with a root that nobody can write to, and an empty volume', () => {
  expect(out).toContain('user 1000:1000, ports map[3000/tcp:{}], volumes map[/app/data:{}]')
  expect(out).not.toContain('the root can be written to')
  expect(out).toMatch(/^-rw-------.* master\.key$/m)
  expect(out).toMatch(/^-rw-------.* portico\.db$/m)
})

test('it says when it is ready, answers apps, and a command runs beside it', () => {
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:9090\/readyz 200 \{"status":"ok"/m)
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:9090\/healthz 200 \{"status":"ok"\}$/m)
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:3000\/\.well-known\/openid-configuration 200 \{/m)
  expect(out).toMatch(/^nobody$/m)
})

test('SIGTERM ends it, and nothing is left behind', () => {
  expect(out).toMatch(/^ended by SIGTERM with 0$/m)
  expect(readdirSync(folder)).toEqual([])
})
