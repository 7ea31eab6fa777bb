import { expect, test } from 'vitest'
import { text } from '#http'
import { isCrossOrigin } from '../../src/http/origin.ts'
import { ask, serve } from './house.ts'

const OWN = 'https://id.example.com'

test.each([
  [{ 'sec-fetch-site': 'same-origin' }, false],
  // typed into the address bar, or a bookmark
  [{ 'sec-fetch-site': 'none' }, false],
  [{ 'sec-fetch-site': 'cross-site' }, true],
  // a sibling host may be somebody else's
  [{ 'sec-fetch-site': 'same-site' }, true],
  [{ 'sec-fetch-site': 'same-origin, cross-site' }, true],
  // the browser's own word beats the older header
  [{ 'sec-fetch-site': 'cross-site', origin: OWN }, true],
  [{ origin: OWN }, false],
  [{ origin: 'https://id.example.com.evil.example' }, true],
  [{ origin: 'http://id.example.com' }, true],
  [{ origin: 'https://id.example.com:8443' }, true],
  [{ origin: 'null' }, true],
  // no browser: nobody's cookies
  [{}, false],
])('%j is cross-origin: %s', (headers, cross) => expect(isCrossOrigin(headers, OWN)).toBe(cross))

test('a form of another site is refused before its handler runs; a link from there is followed', async () => {
  let handled = 0
  const handle = () => {
    handled++
    return text('done')
  }
  const issuer = 'http://localhost:3000'
  const server = await serve({
    issuer,
    routes: [
      { method: 'POST', path: '/', handle },
      { method: 'DELETE', path: '/', handle },
      { method: 'GET', path: '/', handle },
    ],
  })
  try {
    const headers = { 'sec-fetch-site': 'cross-site' }
    for (const method of ['POST', 'DELETE']) {
      const refused = await ask(server.origin, { method, headers })
      expect([refused.status, refused.body]).toEqual([403, '{"code":"cross-origin"}'])
    }
    expect(handled).toBe(0)
    expect((await ask(server.origin, { headers })).status).toBe(200)
    expect((await ask(server.origin, { method: 'POST', headers: { origin: issuer } })).status).toBe(200)
  } finally {
    await server.close()
  }
})
