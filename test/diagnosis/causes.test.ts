/** The sentences: what foreign hands write into a request does nothing to whoever reads or copies them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CAUSES, type Failure, type Seen } from '#diagnosis'
import { plain } from '../../src/diagnosis/sentence.ts'
import { ISSUER, openRooms } from './house.ts'

const ALL = {
  oidc: { redirect_uris: ['https://all.example.com/callback'] },
  saml: { entity_id: 'https://all.example.com/saml', acs_urls: ['https://all.example.com/acs'] },
  forward_auth: { hosts: ['all.example.com'] },
}
/** Would do harm in a terminal or a shell, and is looked for afterwards. */
const HOSTILE = [
  '$(reboot)',
  '`reboot`',
  "';reboot;#",
  '\nreboot',
  '\u001b[2Jreboot',
  '\u202ereboot',
  '\u009breboot',
  '&&reboot',
  'reboot\r',
  '|reboot',
]
const hostile = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(...HOSTILE))
  .map(([text, harm]) => `${harm}${text}${harm}`)
const foreign = fc.oneof(
  hostile,
  hostile.map((text) => `https://all.example.com/callback${text}`),
  hostile.map((text) => `https://evil.example/${text}`),
)
const seen: fc.Arbitrary<Seen> = fc.oneof(
  fc.record({
    error: fc.constant('x'),
    address: fc.record({
      of: fc.constantFrom('redirect_uri', 'post_logout_redirect_uri', 'AssertionConsumerServiceURL'),
      asked: foreign,
      registered: fc.constantFrom([], ['https://all.example.com/callback']),
    }),
  }),
  fc.record({
    error: fc.constant('x'),
    audience: fc.record({
      of: fc.constantFrom('client_assertion', 'id_token_hint', 'Destination', 'introspection'),
      named: fc.array(foreign, { maxLength: 12 }),
      expected: fc.constant(ISSUER),
    }),
  }),
  fc.record({ error: fc.constant('x'), nameId: fc.record({ asked: foreign, registered: fc.constant('persistent') }) }),
  fc.record({
    error: fc.constantFrom('x', 'invalid_scope'),
    scopes: fc.record({
      asked: fc.array(foreign, { maxLength: 12 }),
      registered: fc.constantFrom([], ['openid', 'groups']),
    }),
  }),
) as fc.Arbitrary<Seen>

const first = (failure: Failure) => {
  for (const cause of CAUSES) {
    const found = cause.find(failure, ISSUER)
    if (found) return { code: cause.code, ...found }
  }
  throw new Error('no cause')
}

describe('whatever a request says', () => {
  test('nothing but visible ASCII is said of it, and nothing of it stands in what is to be copied', async () => {
    const app = await (await openRooms()).app('all', ALL)
    fc.assert(
      fc.property(seen, fc.constantFrom('authorization', 'sign-on'), (what, stage) => {
        const { cause, fix } = first({ app, request: 'E-0000-0001', stage, seen: what })
        for (const line of [cause, ...fix]) expect(line).toMatch(/^[\x20-\x7e]{1,900}$/)
        for (const line of fix) expect(line).not.toContain('reboot')
      }),
      { numRuns: 500 },
    )
  })

  test('a text of any length is cut, and a backquote does not end the quotation', () => {
    expect(plain('a'.repeat(1000))).toBe(`${'a'.repeat(200)}...`)
    expect(plain('`$(x)`\u001b[31m\u202e')).toBe('\\u{60}$(x)\\u{60}\\u{1b}[31m\\u{202e}')
  })
})

test('every command that is to be copied names the app only, and stands before its remark', async () => {
  const app = await (await openRooms()).app('all', ALL)
  const samples: Seen[] = [
    {
      error: 'x',
      address: {
        of: 'redirect_uri',
        asked: 'https://all.example.com/other',
        registered: ['https://all.example.com/callback'],
      },
    },
    {
      error: 'x',
      authentication: { sent: ['client_secret_basic'], registered: 'client_secret_basic', secret: 'wrong' },
    },
    { error: 'x', authentication: { sent: [], registered: 'private_key_jwt' } },
    { error: 'x', pkce: 'missing' },
    { error: 'x', cookie: 'opening' },
    {
      error: 'x',
      nameId: { asked: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress', registered: 'persistent' },
    },
    { error: 'x', signature: { of: 'AuthnRequest', fault: 'wrong', keys: 1 } },
  ]
  const commands = samples
    .flatMap((one) => first({ app, request: 'E', stage: 'sign-on', seen: one }).fix)
    .filter((line) => line.startsWith('portico '))
  expect(commands.length).toBeGreaterThan(8)
  for (const command of commands)
    expect(command).toMatch(
      /^portico apps (?:snippet all --for (?:env|nginx)|export all > all\.yaml|rotate-secret all) {4}# /,
    )
})

describe('the table of docs/apps.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/apps.md'), 'utf8')
  const section = /\n## When it does not work\n([\s\S]*?)(?=\n## |$)/.exec(page)?.[1] ?? ''
  const rows = [...section.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, code]) => code)

  test('has each cause once, in the order in which they are tried, and no other', () => {
    expect(rows).toEqual(CAUSES.map(({ code }) => code))
  })
})
