/** What `apis snippet` prints: that of nginx is run (`flow/api-gateway.test.ts`), of the others the shape is looked at. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { SNIPPETS, snippetValues } from '#api-access/gateway-files'

const gateway = { hosts: ['api.kestrel.example', '127.0.0.1:8080'], upstream: 'http://10.0.0.5:8081' }
const values = snippetValues({ id: 'orders', gateway } as never, '0.0.0.0:3000')
const TOLD = ['X-Portico-Client', 'X-Portico-Subject', 'X-Portico-Scope']

describe.each(SNIPPETS.map((snippet) => [snippet.name, snippet] as const))('%s', (name, snippet) => {
  const files = snippet.files(values)
  const text = files.map((file) => file.text).join('\n')

  test('asks about this API, on this machine where no address was given', () => {
    expect(text).toContain(name === 'envoy' ? '/authz/api/orders' : '/authz/api?api=orders')
    expect(text).toMatch(name === 'envoy' ? /http:\/\/127\.0\.0\.1:3000/ : /127\.0\.0\.1:3000/)
  })

  test('names every header that the API is told', () => {
    for (const header of TOLD) expect(text.toLowerCase(), header).toContain(header.toLowerCase())
  })

  test('holds no value that was not filled in', () => {
    expect(text).not.toMatch(/undefined|\[object|\$\{/)
  })
})

test('the file of Kong is YAML, drops what the client says of itself, and closes where nobody answers', () => {
  const [file] = SNIPPETS.find(({ name }) => name === 'kong')!.files(values)
  const { services } = parse(file!.text)
  expect(services).toMatchObject([
    { url: 'http://10.0.0.5:8081', routes: [{ hosts: ['api.kestrel.example', '127.0.0.1'] }] },
  ])
  const [lua] = services[0].plugins[0].config.access as string[]
  expect(lua).toContain('kong.service.request.clear_header(name)\n  if value then')
  expect(lua).toContain('if not answer then\n  return kong.response.exit(503')
  // each block that is opened is closed
  const count = (pattern: RegExp) => lua!.match(pattern)?.length ?? 0
  expect(count(/\b(?:then|do)\b/g)).toBe(count(/\bend\b/g))
})

test('the policies of Apigee are XML by their names, and what is told replaces what was sent', () => {
  const files = SNIPPETS.find(({ name }) => name === 'apigee')!.files(values)
  expect(files.map(({ file }) => file.replace(/^.*\//, ''))).toEqual([
    ...['Portico-Question.xml', 'Portico-Ask.xml', 'Portico-Refuse.xml', 'Portico-Tell.xml'],
  ])
  for (const { text } of files) {
    const opened = [...text.matchAll(/<([A-Za-z]+)(?=[\s>])[^>]*?(\/?)>/g)].filter(([, , alone]) => alone === '')
    const closed = [...text.matchAll(/<\/([A-Za-z]+)>/g)]
    expect(opened.map(([, tag]) => tag).sort()).toEqual(closed.map(([, tag]) => tag).sort())
  }
  const tell = files[3]!.text
  expect(tell.indexOf('<Remove>')).toBeLessThan(tell.indexOf('<Set>'))
})
