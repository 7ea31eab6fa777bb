/** Folders that somebody else wrote: a pull request whose policies are checked, replayed or published. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadPolicies } from '#policy'
import { inFolder } from './house.ts'

const GOOD = { policy: 'good', rules: [{ name: 'all', allow: {} }] }
const SECRET = 'root:x:0:0:canary'

/** Loads a good folder after `spoil` has been at it; beside it lies a file that is none of its business. */
const spoilt = (spoil: (dir: string, outside: string) => void) =>
  inFolder({ 'p.yaml': GOOD }, (dir) => {
    const outside = join(dir, '../outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret.yaml'), SECRET)
    spoil(dir, outside)
    const loaded = loadPolicies(dir)
    expect(JSON.stringify([loaded.problems, [...loaded.files.files]])).not.toContain('canary')
    return loaded
  })

describe('a policy folder', () => {
  test.each([
    ['a file', (dir: string, outside: string) => symlinkSync(join(outside, 'secret.yaml'), join(dir, 'a.yaml'))],
    ['a relative file', (dir: string) => symlinkSync('../outside/secret.yaml', join(dir, 'a.yaml'))],
    ['a folder', (dir: string, outside: string) => symlinkSync(outside, join(dir, 'sub'))],
    [
      'a list of sites',
      (dir: string, outside: string) => {
        symlinkSync(join(outside, 'secret.yaml'), join(dir, 's.csv'))
        writeFileSync(join(dir, 'n.yaml'), 'networks: { stores: { file: s.csv } }')
      },
    ],
    ['the whole disk', (dir: string) => symlinkSync('/', join(dir, 'sub'))],
  ])('with a link out of it, to %s: is refused, and nothing of it is told', (_what, spoil) => {
    const { policies, problems } = spoilt(spoil)
    expect(policies).toBeUndefined()
    expect(JSON.stringify(problems)).toContain('leads out of the policy folder')
  })

  test('with links to itself is read once', () => {
    const { policies, files } = spoilt((dir) => {
      for (let i = 0; i < 30; i++) symlinkSync('.', join(dir, `loop${i}`))
    })
    expect(policies!.names).toEqual(['good'])
    expect([...files.files.keys()]).toEqual(['p.yaml'])
  })

  test('that is a link itself is the folder it leads to', () => {
    inFolder({ 'p.yaml': GOOD }, (dir) => {
      symlinkSync(dir, join(dir, '../link'))
      expect(loadPolicies(join(dir, '../link')).policies!.names).toEqual(['good'])
    })
  })

  test('with a huge file, a pipe, or more entries than anybody writes is refused at once', () => {
    const codes = (spoil: (dir: string) => void) => spoilt(spoil).problems.map(({ code }) => code)
    const huge = (dir: string) => {
      writeFileSync(join(dir, 'huge.yaml'), '')
      truncateSync(join(dir, 'huge.yaml'), 40 * 1024 ** 3)
    }
    expect(codes(huge)).toEqual(['file-too-large'])
    expect(codes((dir) => execFileSync('mkfifo', [join(dir, 'pipe.yaml')]))).toEqual(['file-unreadable'])
    const many = (dir: string) => {
      for (let i = 0; i < 10_001; i++) writeFileSync(join(dir, `${i}.txt`), '')
    }
    expect(codes(many)).toContain('too-many-files')
  })

  test('read before has the same version as the folder, and the lines of its own label', () => {
    const files = { 'p.yaml': GOOD, 'n.yaml': { networks: { s: { file: 'x/s.csv' } } }, 'x/s.csv': '10.0.0.0/8,all\n' }
    inFolder(files, (dir) => {
      const first = loadPolicies(dir)
      const again = loadPolicies({ label: 'stored', files: first.files.files })
      expect(again.policies!.version).toBe(first.policies!.version)
      expect(again.policies!.list[0]!.line).toBe('stored/p.yaml:1')
      expect([...again.files.files.keys()].sort()).toEqual(['n.yaml', 'p.yaml', 'x/s.csv'])
      const less = new Map([...first.files.files].filter(([name]) => name !== 'x/s.csv'))
      expect(loadPolicies({ label: 'stored', files: less }).problems).toMatchObject([{ code: 'file-unreadable' }])
    })
  })
})
