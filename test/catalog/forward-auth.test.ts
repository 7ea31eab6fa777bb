/** What the registration of an app behind a proxy may say. */
import { expect, test } from 'vitest'
import type { Manifest } from '#catalog'
import { openHouse } from './house.ts'

const TILLS = { id: 'tills', policy: 'default', audience: ['staff'] }
const GET_PUBLIC = { paths: ['/a/*'], methods: ['GET'], access: 'public' }

const check = async (part: object) => {
  const { catalog } = await openHouse()
  const manifest = { ...TILLS, forward_auth: { hosts: ['tills.example.com'], ...part } } as Manifest
  return (await catalog.apps.check(manifest)).map(({ path, code }) => `${path.join('.')} ${code}`)
}

test.each<[string, object, string[]]>([
  [
    'rules that say different things',
    {
      rules: [
        { paths: ['/'], access: 'deny' },
        { paths: ['/*'], access: 'public' },
      ],
    },
    [],
  ],
  ['an exception before what it is an exception of', { rules: [{ paths: ['/a/b'], access: 'deny' }, GET_PUBLIC] }, []],
  ['one method open, and the rest closed', { rules: [GET_PUBLIC, { paths: ['/a/*'], access: 'deny' }] }, []],
  [
    'the same path open in another case',
    { rules: [GET_PUBLIC, { paths: ['/A/*'], methods: ['GET'], access: 'deny' }] },
    [],
  ],
  ['headers of the app', { headers: ['Auth-User', 'X-Mail=email', 'X-WEBAUTH-GROUPS=groups'] }, []],
  ['where the app is', { upstream: 'http://10.0.0.5:8080' }, []],
])('%s is taken', async (_, part, wrong) => expect(await check(part)).toEqual(wrong))

test.each<[string, object, string]>([
  [
    'a rule behind one that names all of it',
    {
      rules: [
        { paths: ['/a/*'], access: 'public' },
        { paths: ['/a/b'], access: 'deny' },
      ],
    },
    'forward_auth.rules.1 rule-unreachable',
  ],
  [
    'a rule for some methods behind one for all',
    { rules: [{ paths: ['/a/*'], access: 'deny' }, GET_PUBLIC] },
    'forward_auth.rules.1 rule-unreachable',
  ],
  [
    'a rule in another case behind one that closes',
    {
      rules: [
        { paths: ['/a/*'], access: 'deny' },
        { paths: ['/A/b/'], access: 'public' },
      ],
    },
    'forward_auth.rules.1 rule-unreachable',
  ],
  [
    'a rule behind everything',
    { rules: [{ paths: ['/*'], access: 'sign-in' }, GET_PUBLIC] },
    'forward_auth.rules.1 rule-unreachable',
  ],
  [
    'a strength where nobody is asked',
    { rules: [{ ...GET_PUBLIC, strength: 'two-factors' }] },
    'forward_auth.rules.0 rule-contradicts',
  ],
  [
    'a policy where nobody is asked',
    { rules: [{ paths: ['/x'], access: 'deny', policy: 'default' }] },
    'forward_auth.rules.0 rule-contradicts',
  ],
  ['a header with an underscore', { headers: ['Auth_User'] }, 'forward_auth.headers.0 header-unsafe'],
  ['a header that means something', { headers: ['Cookie'] }, 'forward_auth.headers.0 header-unsafe'],
  ['a header of the question', { headers: ['X-Forwarded-Host'] }, 'forward_auth.headers.0 header-unsafe'],
  ['a header for a field that nobody has', { headers: ['X-A=password'] }, 'forward_auth.headers.0 header-unsafe'],
  ['the usual port', { hosts: ['tills.example.com:443'] }, 'forward_auth.hosts.0 host-unsafe'],
  ['an app somewhere else', { upstream: 'http://10.0.0.5:8080/x' }, 'forward_auth.upstream upstream-invalid'],
])('%s is not', async (_, part, wrong) => expect(await check(part)).toEqual([wrong]))

test.each([
  'a',
  '',
  '/a/*/b',
  '/*a',
  '/a?b',
  '/a#b',
  '/a;b',
  '/a\\b',
  '//a',
  '/a//b',
  '/../a',
  '/a/./b',
  '/a%2fb',
  '/a b',
  '/a\u0000',
])('no rule is for `%s`', async (path) => {
  const [first] = await check({ rules: [{ paths: [path], access: 'deny' }] })
  expect(first).toBe('forward_auth.rules.0.paths.0 invalid')
})

test('a rule can only name a policy that there is', async () => {
  const { catalog } = await openHouse({ policyNames: () => ['default', 'risky'] })
  const issues = (policy: string) =>
    catalog.apps.check({
      ...TILLS,
      forward_auth: { hosts: ['a.example.com'], rules: [{ paths: ['/x'], access: 'sign-in', policy }] },
    })
  expect(await issues('risky')).toEqual([])
  expect(await issues('risk')).toMatchObject([{ path: ['forward_auth', 'rules', 0, 'policy'], code: 'policy-unknown' }])
})

test('what was registered is exported, and applied again changes nothing; without a start page it opens at its host', async () => {
  const { catalog } = await openHouse()
  const forward_auth = {
    hosts: ['tills.example.com', 'localhost:8080'],
    headers: ['X-Mail=email'],
    rules: [GET_PUBLIC],
    upstream: 'http://10.0.0.5',
  }
  const { app } = await catalog.apps.register({ ...TILLS, forward_auth } as Manifest, 'cli')
  expect(app).toMatchObject({
    launchUrl: 'https://tills.example.com/',
    forwardAuth: { headers: [{ name: 'X-Mail', field: 'email' }] },
  })
  const text = await catalog.apps.export('tills')
  expect(text).not.toContain('launch_url')
  const { changes } = await catalog.apps.apply([{ file: 'a.yaml', text }], { by: 'cli', dryRun: true })
  expect(changes).toMatchObject([{ action: 'unchanged' }])
})
