/** There is no container engine here: what can be checked is that the file fits the repository. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from '#config'
import { serveVerbs } from '../../src/serve.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
/** Instructions with their lines joined, without comments. */
const instructions = read('Dockerfile')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
const all = (name: string) => instructions.filter(([own]) => own === name).map(([, rest]) => rest)
const last = (name: string) => all(name).at(-1)!
const settings = loadSettings('/dev/null', {}).settings!

test('the image has the Node that the tests run on', () => {
  const { devDependencies, engines } = JSON.parse(read('package.json'))
  const major = Number(/^node:(\d+)/.exec(all('FROM')[0]!)?.[1])
  expect(major).toBe(Number(devDependencies.node.split('.')[0]))
  expect(major).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)![0]))
})

test('development dependencies stay out, and what runs is not root', () => {
  expect(all('RUN').filter((line) => line.includes('npm ci'))).toEqual([expect.stringContaining('--omit=dev')])
  expect(last('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  const place = (name: string) => instructions.findLastIndex(([own]) => own === name)
  expect(place('USER'), 'the commands that install run before').toBeGreaterThan(place('RUN'))
})

test('what is copied exists, and nothing else gets past .dockerignore', () => {
  const copied = all('COPY').flatMap((line) => line.split(' ').slice(0, -1))
  for (const name of copied) expect(existsSync(join(root, name)), name).toBe(true)
  const [first, ...kept] = read('.dockerignore')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
  expect(first).toBe('*')
  expect(kept.map((line) => line.replace(/^!/, '')).sort()).toEqual([...copied].sort())
})

test('what the defaults read and write is in the image and in the volume', () => {
  const work = last('WORKDIR')
  expect(all('COPY').join(' ')).toContain(settings.policies)
  expect(all('COPY').join(' ')).toContain(settings.catalog)
  for (const file of [settings.storage.url.replace('sqlite:', ''), settings.secrets.key_file])
    expect(join(work, file).startsWith(`${last('VOLUME')}/`), file).toBe(true)
})

test('the health check asks an address that the server answers', () => {
  const [, port, path] = /http:\/\/127\.0\.0\.1:(\d+)(\/\w+)/.exec(last('HEALTHCHECK'))!
  expect(settings.management.listen).toBe(`127.0.0.1:${port}`)
  expect(read('src/management.ts')).toContain(`path: '${path}'`)
})

test('the command is one that exists', () => {
  const [node, ...words] = JSON.parse(last('CMD')) as string[]
  // the flag that `serve` otherwise starts itself again for
  const [flag, file, verb] = words
  expect(read('src/portico.js').split('\n')[0]).toContain(flag)
  expect(node).toBe('node')
  expect(existsSync(join(root, file!))).toBe(true)
  expect(serveVerbs.map(({ words }) => words.join(' '))).toContain(verb)
})
