/** The beginning of a shift in small: that everybody gets in and opens every app. How fast is the bench's to say. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { plot } from '../../bench/plot.ts'
import type { Storm } from '../../bench/storm/crowd.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-shift-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('of twenty people in as many stores everybody signs in, by passkey or password, and opens ten apps', () => {
  const crowd = join(import.meta.dirname, '../../bench/storm/crowd.ts')
  const args = [crowd, '--folder', folder, '--people', '20', '--seconds', '2']
  const storm = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' })) as Storm
  expect([storm.failed, storm.errors]).toEqual([0, []])
  expect([storm.passkey.count, storm.password.count, storm.silent.count]).toEqual([14, 6, 200])
  expect(storm.cpuPerPerson).toBeGreaterThan(0)
})

test('the picture of the flows has a bar for each, and nothing that a title could write into it', () => {
  const measured = { perCpuSecond: 100 }
  const svg = plot([
    { title: 'a < b & c', yardstick: '<x>', bare: measured, portico: { perCpuSecond: 50 }, ratio: 0.5, target: 0.8 },
  ] as never)
  expect(svg).toContain('a &lt; b &amp; c')
  expect(svg).not.toContain('<x>')
  expect(svg.match(/<rect class="ours" x="320" y="52" width="210.0"/)).not.toBeNull()
  expect(svg).toContain('50 · 0.50 × (≥ 0.8)')
})
