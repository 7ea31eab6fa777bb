/** Every view in every language as text: nothing gets in unescaped, everything fits into the first round trip. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { browserName, contentSecurityPolicy, document, identifierView, LANGUAGES, messagesFor, safeHref } from '#pages'
import { NONCE, page, samples } from './samples.ts'

const names = Object.keys(samples(messagesFor('en')))
const LARGEST = 14 * 1024

test.each(LANGUAGES)('every document in %s is at most 14 KB after gzip, with everything in it', (lang) => {
  for (const [name, view] of Object.entries(samples(messagesFor(lang)))) {
    const { body } = page(view, lang)
    expect(gzipSync(body).length, name).toBeLessThanOrEqual(LARGEST)
    expect(body, name).not.toMatch(/<(?:link|script|img|iframe)[^>]+(?:src|href)="(?!data:)/)
    expect(body, name).toContain(`<html lang="${lang}">`)
  }
})

test('every document has one first heading, one main part, a title, and nothing undefined in it', () => {
  for (const lang of LANGUAGES) {
    for (const [name, view] of Object.entries(samples(messagesFor(lang)))) {
      const { body } = page(view, lang)
      expect(body.match(/<h1[ >]/g), name).toHaveLength(1)
      expect(body.match(/<main /g), name).toHaveLength(1)
      expect(body.replace(/<script[\s\S]*<\/script>/, ''), name).not.toMatch(
        /undefined|\[object |\{\w+\}(?![^<]*<\/style>)/,
      )
    }
  }
})

test('every form is a POST with a step or stands in a list of the account page, and sends no field twice', () => {
  for (const [name, view] of Object.entries(samples(messagesFor('en')))) {
    for (const form of page(view, 'en').body.match(/<form [\s\S]*?<\/form>/g) ?? []) {
      // the answer to an app that speaks SAML is posted to that app, and so is what goes on to the next sign-out
      const toAnApp = name === 'opening' || name === 'signed-out-on'
      expect(form, name).toMatch(
        toAnApp ? /^<form method="post" action="https:\/\// : /^<form method="post" action="\//,
      )
      if (view.layout !== 'wide' && !toAnApp) expect(form, name).toContain('name="step"')
      const fields = [...form.matchAll(/<input[^>]* name="(\w+)"/g)].map((match) => match[1])
      expect(new Set(fields).size, name).toBe(fields.length)
    }
  }
})

test('password managers are told what each field is', () => {
  const all = samples(messagesFor('en'))
  const body = (name: string) => page(all[name]!, 'en').body
  expect(body('identifier')).toContain('autocomplete="username webauthn"')
  expect(body('identifier-plain')).toContain('autocomplete="username"')
  expect(body('password')).toMatch(
    /name="username" autocomplete="username"[\s\S]*name="password" type="password" autocomplete="current-password"/,
  )
  expect(body('totp')).toContain('autocomplete="one-time-code"')
  expect(body('change-password')).toMatch(
    /autocomplete="username"[\s\S]*autocomplete="current-password"[\s\S]*autocomplete="new-password"/,
  )
})

test('a wrong answer is announced, and the field points at the sentence', () => {
  const { body } = page(samples(messagesFor('de'))['password-throttled']!, 'de')
  expect(body).toMatch(/<title>Problem: /)
  expect(body).toMatch(/id="problem" role="alert"[\s\S]*Sie können es in 41 Sekunden erneut versuchen/)
  expect(body).toMatch(/aria-invalid="true" aria-describedby="problem"/)
})

/** Text that breaks out of an attribute, an element, a script, a style or an address, when it can. */
const HOSTILE = fc
  .array(
    fc.constantFrom(
      '<script>',
      '</script>',
      '<!--',
      ']]>',
      '"',
      "'",
      '&',
      '`',
      '<',
      '>',
      '</style>',
      'javascript:alert(1)',
      '//evil.example',
      '/',
      '\\',
      '\n',
      '\t',
      '{app}',
      '{{',
      ' onload=',
      'é',
      '\u202e',
      '$&',
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => `ZZ${parts.join('')}`)

test.each(LANGUAGES)('whatever text a caller gives, every view in %s escapes it', (lang) => {
  const harmless = Object.fromEntries(
    Object.entries(samples(messagesFor(lang), 'ZZharmless')).map(([name, view]) => [
      name,
      tags(page(view, lang, 'ZZharmless').body),
    ]),
  )
  fc.assert(
    fc.property(HOSTILE, fc.constantFrom(...names), (text, name) => {
      const { body } = page(samples(messagesFor(lang), text)[name]!, lang, text)
      // ATTACK: an element or an attribute more than with harmless text came from the text
      expect(tags(body)).toEqual(harmless[name])
    }),
    { numRuns: 150 },
  )
})

/** Every tag with the names of its attributes, in order; as a browser reads them, outside our own script and style. */
function tags(body: string): string[] {
  const ours = body.replace(/(<(style|script)[^>]*>)[\s\S]*?<\/\2>/g, '$1')
  return [...ours.matchAll(/<(\/?[a-z!][\w-]*)((?:"[^"]*"|[^>"])*)>/gi)].map(([, tag, attributes]) => {
    const given = attributes!.replace(/"[^"]*"/g, '""').match(/[\w-]+/g) ?? []
    return `${tag} ${given.join(' ')}`
  })
}

test('the property above would see a view that does not escape', () => {
  const text = 'ZZ<script>"'
  expect(tags(`<p title="${text}">`)).not.toEqual(tags('<p title="ZZharmless">'))
})

test.each([
  ['javascript:alert(1)', '#'],
  ['JaVaScRiPt:alert(1)', '#'],
  [' javascript:alert(1)', '#'],
  ['data:text/html,x', '#'],
  ['//evil.example', '#'],
  ['/\\evil.example', '#'],
  ['/\t/evil.example', '#'],
  ['/\n/evil.example', '#'],
  ['https:evil', '#'],
  ['https://', '#'],
  ['/account', '/account'],
  ['/signin/abc?other', '/signin/abc?other'],
  ['?lang=nl', '?lang=nl'],
  ['#main', '#main'],
  ['https://crm.example/x', 'https://crm.example/x'],
])('a link to %j leads to %j', (href, expected) => {
  expect(safeHref(href)).toBe(expected)
})

test('the policy for content allows nothing that has no nonce', () => {
  const { headers } = page(samples(messagesFor('en'))['identifier']!, 'en')
  const policy = headers['content-security-policy']!
  expect(policy).not.toMatch(/unsafe|\*|strict-dynamic/)
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain(`script-src 'nonce-${NONCE}'`)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  })
})

test('no view writes a style or a handler into an attribute, which the policy would block', () => {
  for (const view of Object.values(samples(messagesFor('en'))))
    expect(page(view, 'en').body).not.toMatch(/<[^>]+ (?:style|on\w+)=/)
})

test.each([
  ['https://crm.example/callback?x=1', "form-action 'self' https://crm.example;"],
  ['http://127.0.0.1:8080/cb', "form-action 'self' http://127.0.0.1:8080;"],
  ['http://[::1]:8080/cb', "form-action 'self' http:;"],
  ['com.example.app:/callback', "form-action 'self' com.example.app:;"],
  ["https://a.example/; script-src 'unsafe-inline'", "form-action 'self' https://a.example;"],
  ['https://a.example;script-src *', "form-action 'self';"],
  ['https://a;sandbox;b.example/', "form-action 'self';"],
  ['https://a,b.example/', "form-action 'self';"],
  ['https://*.example/', "form-action 'self';"],
  ['javascript:alert(1)', "form-action 'self';"],
  ['not an address', "form-action 'self';"],
])('a form may lead to %s as %s', (target, expected) => {
  const policy = contentSecurityPolicy(NONCE, [target])
  expect(policy).toContain(expected)
  expect(policy.split(';')).toHaveLength(contentSecurityPolicy(NONCE).split(';').length)
})

test('a nonce that could open the policy is a bug', () => {
  expect(() => contentSecurityPolicy("x'; script-src *")).toThrow()
  expect(() => contentSecurityPolicy('short')).toThrow()
})

test('the language switch keeps the page and never leaves this host', () => {
  const body = (path: string) =>
    String(
      document({
        ...identifierView({ action: '/' }, messagesFor('en')),
        lang: 'en',
        nonce: NONCE,
        organisation: 'K',
        messages: messagesFor('en'),
        path,
      }).body,
    )
  expect(body('/signin/abc?app=crm&lang=ru')).toContain('href="/signin/abc?app=crm&amp;lang=nl"')
  for (const path of ['//evil.example/x', '/\\evil.example', 'https://evil.example/', '/\t/evil.example'])
    expect(body(path)).toContain('href="/?lang=nl"')
})

test('a browser without a window has the name of the browser that it is', () => {
  const agent =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0 Safari/537.36'
  expect(browserName(messagesFor('en'), agent)).toBe('Chrome on Linux')
})
