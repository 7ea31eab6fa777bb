/** Which addresses may be registered: THREATS.md, class "Redirects". */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressProblem } from '../../src/catalog/addresses.ts'
import { INPUT_KINDS } from '../../src/catalog/inputs.ts'

const REFUSED: [what: string, address: string][] = [
  ['script', 'javascript:alert(1)'],
  ['script with slashes', 'javascript://example.com/%0aalert(1)'],
  ['data', 'data:text/html,<script>1</script>'],
  ['another scheme without a dot', 'myapp://callback'],
  ['a file', 'file:///etc/passwd'],
  ['a blob', 'blob:https://app.example.com/1'],
  ['a scheme in capitals', 'HTTPS://app.example.com/cb'],
  ['a wildcard host', 'https://*.example.com/cb'],
  ['a wildcard path', 'https://app.example.com/*'],
  ['a user name', 'https://app.example.com@evil.example/cb'],
  ['a user name and password', 'https://u:p@evil.example/cb'],
  ['several @', 'https://app.example.com@b@evil.example/cb'],
  ['a port that is a user name', 'https://app.example.com:443@evil.example/cb'],
  ['a backslash as slash', 'https://evil.example\\@app.example.com/cb'],
  ['a backslash in the path', 'https://app.example.com/\\evil.example'],
  ['backslashes after the scheme', 'https:\\\\app.example.com/cb'],
  ['one slash', 'https:/app.example.com/cb'],
  ['three slashes', 'https:///app.example.com/cb'],
  ['no scheme', '//app.example.com/cb'],
  ['a path only', '/cb'],
  ['nothing', ''],
  ['a tab', 'https://app.example.com/\tcb'],
  ['a line break', 'https://app.example.com/cb\r\nSet-Cookie: a=b'],
  ['a null byte', 'https://app.example.com/\0cb'],
  ['a blank before', ' https://app.example.com/cb'],
  ['a blank after', 'https://app.example.com/cb '],
  ['an encoded dot in the host', 'https://app%2eexample.com/cb'],
  ['an encoded slash in the host', 'https://evil.example%2fapp.example.com/cb'],
  ['an encoded dot segment', 'https://app.example.com/a/%2e%2e/cb'],
  ['an encoded dot segment in capitals', 'https://app.example.com/a/%2E%2E/cb'],
  ['an encoded slash in the path', 'https://app.example.com/a%2Fb'],
  ['an encoded backslash', 'https://app.example.com/a%5cb'],
  ['an encoded line break', 'https://app.example.com/%0d%0aX'],
  ['an encoded null byte', 'https://app.example.com/%00'],
  ['a broken percent-encoding', 'https://app.example.com/%zz'],
  ['two dots', 'https://app.example.com/a/../cb'],
  ['two dots with a path parameter', 'https://app.example.com/a/..;/cb'],
  ['one dot', 'https://app.example.com/./cb'],
  ['a Unicode host', 'https://аpp.example.com/cb'],
  ['a Unicode path', 'https://app.example.com/ü'],
  ['a host that mixes scripts (аpple)', 'https://xn--pple-43d.com/cb'],
  ['a host that mixes scripts further down (grаfana)', 'https://xn--grfana-4nf.example.com/cb'],
  ['a host of one script that reads like another (аррӏе)', 'https://xn--80ak6aa92e.com/cb'],
  ['a host of three letters that reads like another (сосо)', 'https://xn--n1aahb.example/cb'],
  ['broken punycode', 'https://xn--99999999.example/cb'],
  ['a full-width dot', 'https://app。example.com/cb'],
  ['a host in capitals', 'https://App.Example.com/cb'],
  ['a host with a final dot', 'https://app.example.com./cb'],
  ['a host with an empty label', 'https://app..example.com/cb'],
  ['a host with an underscore', 'https://app_1.example.com/cb'],
  ['an address in hexadecimal', 'https://0x7f.1/cb'],
  ['an address as one number', 'https://2130706433/cb'],
  ['an address in octal', 'https://010.0.0.1/cb'],
  ['an IPv6 address in another spelling', 'https://[0:0:0:0:0:0:0:1]/cb'],
  ['a fragment', 'https://app.example.com/cb#part'],
  ['an empty fragment', 'https://app.example.com/cb#'],
  ['plain http', 'http://app.example.com/cb'],
  ['http that only begins like a loopback address', 'http://localhost.evil.example/cb'],
  ['http on another spelling of loopback', 'http://127.1/cb'],
  ['an empty port', 'https://app.example.com:/cb'],
  ['port 0', 'https://app.example.com:0/cb'],
  ['a port too high', 'https://app.example.com:65536/cb'],
  ['a port with letters', 'https://app.example.com:443a/cb'],
  ['a placeholder', 'https://{host}/cb'],
  ['a quote', 'https://app.example.com/"cb'],
  ['a code of its own', 'https://app.example.com/cb?code=mine'],
  ['a state of its own', 'https://app.example.com/cb?a=b&%73tate=mine'],
  ['too long', `https://app.example.com/${'a'.repeat(2000)}`],
  ['a private-use scheme with @', 'com.example.app://a@b/cb'],
  ['a private-use scheme without path', 'com.example.app:cb'],
]

test.each(REFUSED)('a redirect URI is refused: %s', (_, address) => {
  expect(addressProblem(address, 'redirect')).toEqual(expect.any(String))
})

test.each([
  'https://app.example.com',
  'https://app.example.com/',
  'https://app.example.com:8443/login/generic_oauth',
  'https://app.example.com:443/i/oidc/',
  'https://app.example.com/cb?provider=oidc&callback=true',
  'https://xn--bcher-kva.example/cb',
  'https://xn--80a1acny.com/cb', // почта
  'https://xn--wgv71a119e.example/cb', // 日本語
  'https://xn--80aa2cbv.xn--p1ai/cb', // сахар.рф
  'https://192.0.2.1/cb',
  'https://[2001:db8::1]/cb',
  'https://app.example.com/a%20b/@me',
  'http://localhost:8250/oidc/callback',
  'http://127.0.0.1/cb',
  'http://[::1]:3000/cb',
  'com.example.app:/callback',
  'app.immich:///oauth-callback',
])('a redirect URI is taken: %s', (address) => {
  expect(addressProblem(address, 'redirect')).toBeUndefined()
})

test('a page and an endpoint are web addresses, never private-use schemes', () => {
  for (const use of ['page', 'endpoint'] as const) {
    expect(addressProblem('com.example.app:/callback', use)).toBeDefined()
    expect(addressProblem('https://app.example.com/x?code=1', use)).toBeUndefined()
  }
})

describe('whatever is taken', () => {
  const pieces = fc.constantFrom(
    'https://',
    'http://',
    'a.example',
    '.',
    '/',
    '\\',
    '@',
    ':',
    '443',
    '%2e',
    '%2F',
    '..',
    ';',
    '?',
    '#',
    '*',
    ' ',
    'ü',
    'A',
    '[::1]',
    'localhost',
    'com.x:',
    '\n',
    '-',
  )
  const texts = fc.array(pieces, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(''))

  test('reads the same to the URL parser as to the eye', () => {
    fc.assert(
      fc.property(texts, (text) => {
        if (addressProblem(text, 'redirect') !== undefined) return
        const url = new URL(text)
        expect(url.username + url.password + url.hash).toBe('')
        const [, authority, path, query = ''] = /^https?:\/\/([^/?]*)([^?]*)(\?.*)?$/.exec(text) ?? []
        if (authority === undefined) return
        expect(url.hostname).toBe(authority.replace(/:\d+$/, ''))
        expect(url.pathname).toBe(path || '/')
        expect(url.search).toBe(query === '?' ? '' : query)
      }),
      { numRuns: 3000 },
    )
  })

  test('is, as an input of a template, its own spelling and free of what ends a line or a string', () => {
    fc.assert(
      fc.property(
        fc.oneof(texts, fc.string({ unit: 'binary' })),
        fc.constantFrom(...Object.values(INPUT_KINDS)),
        (text, kind) => {
          const value = kind.read(text)
          if (value === undefined) return
          expect(kind.read(value)).toBe(value)
          expect(value).not.toMatch(/['"\\$`\p{Cc}]/u)
        },
      ),
      { numRuns: 3000 },
    )
  })
})
