/**
 * A person whose every particular is a word found nowhere else goes through every flow of a real process, the wrong ways
 * included, and none of the words is in anything that it printed or wrote into the trail. Ids are.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, type Page, passkeyOptions } from '../../demo/browser.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { totpCode } from '../support/totp.ts'
import { anApp, appAddress, stepOf } from './people.ts'

const NAME = 'Zyxquorra Vandelmoor'
const USERNAME = 'zyxq.vandelmoor'
const MAIL = 'Zyxquorra.V@kwimbel.example'
const PHONE = '+31 6 5550 4711'
const PASSWORD = 'Grublik-fennel-Tarz-91'
const NEW_PASSWORD = 'Prolvex-bramble-Ghim-62'

/** Whatever must not be printed, with what it is, as tests go along: secrets that are made up on the way too. */
const canaries = new Map<string, string>()
const watch = (what: string, ...values: readonly (string | undefined)[]) => {
  for (const value of values) if (value) canaries.set(value, what)
}
watch('name', NAME, 'Zyxquorra', 'Vandelmoor')
watch('user name', USERNAME, 'zyxq')
watch('mail', MAIL, 'kwimbel')
watch('phone', PHONE, '55504711', '5550 4711')
watch('password', PASSWORD, NEW_PASSWORD)

let place: Place
let serving: Serving
/** Everything that any process of this test printed where logs go. */
const printed: string[] = []
const browser = createBrowser({
  stopAt: CALLBACK,
  headers: { 'user-agent': `Mozilla/5.0 (${NAME})`, referer: `http://localhost/?user=${USERNAME}` },
})
let id: string

beforeAll(async () => {
  place = await makePlace({
    policies: POLICIES,
    settings: {
      log: { level: 'debug' },
      directories: [
        { id: 'local', kind: 'local' },
        // nobody listens there: whoever is not known here makes it fail
        {
          id: 'branch',
          kind: 'ldap',
          url: `ldap://127.0.0.1:${await freePort()}`,
          insecure_plain_text: true,
          base_dn: 'dc=example',
          bind_dn: 'cn=reader,dc=example',
          bind_password: 'Snorvel-quint-44',
        },
      ],
    },
    people: [
      {
        username: USERNAME,
        name: NAME,
        givenName: 'Zyxquorra',
        familyName: 'Vandelmoor',
        mail: MAIL,
        attributes: { phone: [PHONE] },
        groups: ['staff'],
        password: PASSWORD,
        directory: 'local',
      },
    ],
    apps: [
      anApp('web', 'plain', {
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'profile', 'email', 'offline_access'],
          pkce: 'optional',
          grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
          backchannel_logout_uri: 'http://localhost:9/logout',
        },
      }),
      anApp('strict', 'strict'),
      anApp('closed', 'closed'),
      anApp('theirs', 'plain', { first_party: false }),
    ],
  })
  watch('password of a directory', 'Snorvel-quint-44')
  id = place.ids.get(USERNAME)!
  serving = await serve(place.config)
}, 60_000)
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

const app = (name: string, more: Record<string, string> = {}) => appAddress(place as never, name, more)
const open = (path: string) => browser.open(`${place.issuer}${path}`)
const remember = () =>
  watch('cookie', ...[...browser.jar].filter(([, value]) => value.length > 20).map(([, value]) => value))

async function post(path: string, fields: Record<string, string>): Promise<Record<string, string>> {
  const response = await fetch(`${place.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`web:${place.secrets.get('web')}`)}` },
    body: new URLSearchParams(fields),
  })
  return (await response.json().catch(() => ({}))) as Record<string, string>
}
/** Types name and password wherever the browser is asked. */
async function signIn(asked: Page, password = PASSWORD): Promise<Page> {
  const page =
    stepOf(asked) === 'identifier' ? await browser.submit(formOf(asked, 'identifier'), { username: USERNAME }) : asked
  const next = await browser.submit(formOf(page, 'password'), { password })
  remember()
  return next
}
async function command(...words: string[]): Promise<{ code: number | null; out: string }> {
  const run = portico([...words, '--config', place.config])
  const code = await run.exited
  printed.push(run.err())
  return { code, out: run.out() }
}

describe('the canary', () => {
  test('mistypes and signs in', async () => {
    let page = await browser.open(
      app('web', { login_hint: MAIL, scope: 'openid profile email offline_access', prompt: 'login' }),
    )
    for (const username of [NAME, MAIL, PHONE, `${USERNAME}x`]) {
      const asked = await browser.submit(formOf(page, 'identifier'), { username })
      await browser.submit(formOf(asked, 'password'), { password: `${PASSWORD}?` })
    }
    page = await signIn(await browser.open(`${page.url.href}&somebody-else`), `${PASSWORD}!`)
    expect(page.status).toBe(400)
    page = await signIn(page)
    const code = page.url.searchParams.get('code')!
    const tokens = await post('/oauth2/token', { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
    expect(tokens['id_token']).toBeTruthy()
    watch('token', code, tokens['access_token'], tokens['refresh_token'], tokens['id_token'])
    const userinfo = await fetch(`${place.issuer}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${tokens['access_token']}` },
    })
    expect(await userinfo.json()).toMatchObject({ name: NAME })
    const refreshed = await post('/oauth2/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens['refresh_token']!,
    })
    watch('token', refreshed['access_token'], refreshed['refresh_token'])
    // again: stolen, says the protocol, and everything of it ends
    await post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: tokens['refresh_token']! })
    const silent = (await browser.open(app('web', { prompt: 'none' }))).url.searchParams.get('code')!
    watch('token', silent)
    for (let times = 0; times < 2; times++)
      await post('/oauth2/token', { grant_type: 'authorization_code', code: silent, redirect_uri: CALLBACK })
  })

  test('adds an authenticator app and a passkey, makes recovery codes, changes the password', async () => {
    const totp = await open('/account/totp/new')
    const secret = /secret=([A-Z2-7]{32})/.exec(totp.text.replaceAll('&amp;', '&'))![1]!
    watch('secret', secret)
    await browser.submit(formOf(totp, 'enrol-totp'), { code: '000000' })
    const added = await browser.submit(formOf(totp, 'enrol-totp'), { code: totpCode(secret, Date.now()) })
    expect(added.url.pathname).toBe('/account')

    // from here on a second factor is asked for
    const asked = await open('/account/passkeys/new')
    expect(stepOf(asked)).toBe('totp')
    await browser.submit(formOf(asked, 'totp'), { code: '999999' })
    const page = await browser.submit(formOf(asked, 'totp'), { code: totpCode(secret, Date.now() + 30_000) })
    remember()
    const { hostname: rpId, origin } = new URL(place.issuer)
    const authenticator = createAuthenticator({ rpId, origin })
    const credential = JSON.stringify(authenticator.create(passkeyOptions(page)))
    expect((await browser.submit(formOf(page, 'enrol-passkey'), { credential })).url.pathname).toBe('/account')
    watch('credential', authenticator.credentials[0]!.id)

    const codes = await browser.submit(formOf(await open('/account/recovery-codes/new'), 'enrol-choice'))
    const list = [...codes.text.matchAll(/\b([0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3,})\b/g)].map(
      ([, one]) => one!,
    )
    expect(list.length).toBeGreaterThanOrEqual(10)
    watch('recovery code', ...list)

    const form = formOf(await open('/account/password'), 'change-password')
    await browser.submit(form, { current: `${PASSWORD}?`, password: NEW_PASSWORD })
    await browser.submit(form, { current: PASSWORD, password: USERNAME })
    const changed = await browser.submit(form, { current: PASSWORD, password: NEW_PASSWORD })
    expect(changed.url.searchParams.get('done')).toBe('password-changed')
    remember()

    const out = await open('/signout')
    await browser.submit(formOf(out, 'sign-out'), { answer: 'allow' })
    const start = await open('/account')
    const answer = JSON.stringify(authenticator.get(passkeyOptions(start)))
    const back = await browser.submit(formOf(start, 'identifier'), { credential: answer })
    expect(back.url.pathname).toBe('/account')
    expect(back.text).toContain(NAME)
    remember()
  })

  test('is refused, agrees, signs out at an app, connects a device', async () => {
    const refused = await browser.open(app('closed'))
    expect(refused.status).toBe(403)
    const reference = /\/why\/([\w-]+)/.exec(refused.text)![1]!
    expect((await open(`/why/${reference}`)).status).toBe(200)
    await open(`/why/${encodeURIComponent(NAME)}`)
    const consent = await browser.open(app('theirs', { scope: 'openid' }))
    await browser.submit(formOf(consent, 'consent'), { answer: 'allow' })

    const begun = await post('/oauth2/device/auth', { scope: 'openid' })
    watch('device code', begun['device_code'], begun['user_code'])
    const typed = await open('/oauth2/device')
    const wrong = await browser.submit(formOf(typed, 'device-code'), { user_code: NAME })
    const confirm = await browser.submit(formOf(wrong, 'device-code'), { user_code: begun['user_code']! })
    const done = await browser.submit(formOf(confirm, 'device-confirm'), { confirm: 'yes' })
    expect(done.status).toBe(200)
    const tokens = await post('/oauth2/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: begun['device_code']!,
    })
    expect(tokens['access_token']).toBeTruthy()
    watch('token', tokens['access_token'], tokens['id_token'])

    // and the device itself is set up, with a name that is nobody else's business
    const enrol = await command('devices', 'enrol', '--name', NAME, '--json')
    const [{ code, url }] = JSON.parse(enrol.out) as [{ code: string; url: string }]
    watch('code for a device', code, code.replaceAll('-', ''))
    const given = await browser.open(url)
    const mistyped = await browser.submit(formOf(given, 'enrol-device'), { code: NAME })
    await browser.submit(formOf(mistyped, 'enrol-device'), { code: '0000-0000-0000' })
    expect((await browser.submit(formOf(given, 'enrol-device'))).text).toContain(NAME)
    remember()

    // an app that is to be told, and does not listen
    await browser.open(app('web'))
    const ending = await open(`/oauth2/session/end?client_id=web&logout_hint=${encodeURIComponent(MAIL)}&state=${NAME}`)
    await browser.submit(formOf(ending, 'sign-out'), { logout: 'yes' })
  })

  test('puts its particulars wherever something can be sent', async () => {
    const everywhere = [NAME, MAIL, PHONE, PASSWORD]
    for (const word of everywhere) {
      const text = encodeURIComponent(word)
      for (const path of [
        `/oauth2/auth?client_id=${text}`,
        `/oauth2/auth?client_id=web&redirect_uri=https://${text}`,
        `/oauth2/auth?client_id=web&response_type=${text}&redirect_uri=${CALLBACK}`,
        `/oauth2/auth?client_id=web&response_type=code&scope=${text}&redirect_uri=${CALLBACK}&state=${text}`,
        `/oauth2/auth?client_id=web&response_type=code&scope=openid&redirect_uri=${CALLBACK}&claims=${text}`,
        `/oauth2/auth?client_id=web&response_type=code&scope=openid&redirect_uri=${CALLBACK}&acr_values=${text}&id_token_hint=${text}`,
        `/oauth2/auth/${text}`,
        `/oauth2/device?user_code=${text}`,
        `/oauth2/session/end?id_token_hint=${text}&post_logout_redirect_uri=${text}`,
        `/signin?return=${text}`,
        `/signin/${text}`,
        `/signin/aaaaaaaaaaaaaaaaaaaa?app=${text}`,
        `/claim/${text}`,
        `/device/${text}`,
        `/account?done=${text}&lang=${text}&errand=${text}`,
        `/why/${text}`,
        `/${text}`,
        `/oauth2/${text}`,
        '/\u0000',
      ])
        await fetch(`${place.issuer}${path}`, {
          redirect: 'manual',
          headers: { cookie: `portico-session=${text}; lang=${text}` },
        })
      for (const path of [
        '/oauth2/token',
        '/oauth2/introspection',
        '/oauth2/revocation',
        '/oauth2/request',
        '/oauth2/userinfo',
        '/signout',
        `/claim/${text}`,
        '/account/password',
        '/oauth2/device',
        '/device',
      ]) {
        await post(path, {
          grant_type: word,
          token: word,
          code: word,
          username: word,
          password: word,
          user_code: word,
          [word]: word,
        })
        await fetch(`${place.issuer}${path}`, {
          method: 'POST',
          headers: { 'content-type': text, authorization: `Basic ${btoa(`${text}:${text}`)}` },
          body: word,
        })
      }
    }
  })

  test('is imported with mistakes, hammered, and switched off', async () => {
    const rows = [
      'username,name,mail,groups,password',
      `${USERNAME},"${NAME}",${MAIL},staff,`,
      `kwimbel1,"${NAME}",no mail of ${NAME},staff,${PASSWORD}`,
      `"${NAME}","${NAME}",${MAIL},staff,x`,
      `kwimbel2,,${MAIL},administrators,${PASSWORD}`,
      `kwimbel3,"${NAME}`,
    ]
    const file = join(place.folder, 'people.csv')
    writeFileSync(file, `${rows.join('\n')}\n`)
    const { code } = await command('people', 'import', file, '--directory', 'local')
    expect(code).toBe(1)
    await command('people', 'show', 'kwimbel-nobody')
    await command('people', 'add', USERNAME, '--name', NAME)
    await command('directories', 'test', 'branch', '--user', USERNAME)

    // more than anybody listens to on a device that is not known
    browser.jar.delete('portico-device')
    const page = await open('/account')
    const asked = await browser.submit(formOf(page, 'identifier'), { username: USERNAME })
    let status = 0
    for (let i = 0; i < 14; i++)
      status = (await browser.submit(formOf(asked, 'password'), { password: `${PASSWORD}${i}` })).status
    expect(status).toBe(429)
    expect((await command('people', 'disable', USERNAME)).code).toBe(0)
    await browser.submit(formOf(asked, 'password'), { password: NEW_PASSWORD })
  })

  test('meets a server that breaks', async () => {
    const { code } = await command('people', 'enable', USERNAME)
    expect(code).toBe(0)
    const storage = await place.storage()
    const run = (text: string) => sql.raw(text).execute(storage.records)
    const tables = ['people', 'receipts', 'devices', 'factor_passkeys', 'audit_events', 'state']
    const statuses = new Set<number>()
    for (const table of tables) {
      // as if a disk had lost it: every statement on it fails, with whatever it carries
      await run(`alter table ${table} rename to lost`)
      try {
        const asked = await browser.open(app('web', { login_hint: MAIL, prompt: 'login' }))
        statuses.add(asked.status)
        if (asked.text.includes('value="identifier"')) {
          const next = await browser.submit(formOf(asked, 'identifier'), { username: USERNAME })
          statuses.add(next.status)
          if (next.text.includes('value="password"'))
            statuses.add((await browser.submit(formOf(next, 'password'), { password: NEW_PASSWORD })).status)
        }
        await post('/oauth2/token', { grant_type: 'authorization_code', code: NAME, redirect_uri: CALLBACK })
      } finally {
        await run(`alter table lost rename to ${table}`)
      }
    }
    // and as if what was stored had come back as something else, which a parser quotes in what it throws
    const errand = await browser.open(app('web', { prompt: 'login' }))
    const key = `errand:${errand.url.pathname.split('/')[2]}`
    expect(await storage.state.get(key)).toBeDefined()
    await storage.state.set(key, `${NAME} <${MAIL}>`)
    statuses.add((await browser.open(errand.url.href)).status)
    await storage.close()
    expect([...statuses].some((status) => status >= 500)).toBe(true)
    expect(await fetch(`${place.issuer}/signin`, { redirect: 'manual' }).then(({ status }) => status)).toBe(303)
  })
})

describe('and afterwards', () => {
  let everything: string
  beforeAll(async () => {
    expect(await serving.stop()).toBe(0)
    printed.push(serving.out(), serving.err())
    everything = printed.join('\n')
    const storage = await place.storage()
    everything += JSON.stringify((await sql`select * from audit_events`.execute(storage.records)).rows)
    await storage.close()
  })

  test('it was a full day: the log has every kind of thing that happened', () => {
    for (const event of [
      ...[
        'server-started',
        'person-signed-in',
        'person-signed-out',
        'factor-refused',
        'factor-enrolled',
        'factor-verified',
      ],
      ...[
        'factor-throttled',
        'recovery-codes-made',
        'session-started',
        'session-raised',
        'session-ended',
        'device-remembered',
      ],
      ...[
        'consent-given',
        'token-reuse-detected',
        'code-reuse-detected',
        'person-disabled',
        'request-failed',
        'server-stopped',
      ],
    ])
      expect(everything, event).toContain(`"event":"${event}"`)
  })

  test('ids are in it', () => {
    expect(everything).toContain(`"subject":"${id}"`)
  })

  test('no particular is, however it is written', () => {
    const found: string[] = []
    const lower = everything.toLowerCase()
    for (const [canary, what] of canaries) {
      const shapes = {
        plain: canary,
        encoded: encodeURIComponent(canary),
        form: new URLSearchParams({ x: canary }).toString().slice(2),
        reversed: [...canary].reverse().join(''),
        hex: Buffer.from(canary).toString('hex'),
        digits: /^\+?[\d ]+$/.test(canary) ? canary.replace(/\D/g, '') : canary,
      }
      for (const [shape, text] of Object.entries(shapes))
        if (lower.includes(text.toLowerCase())) found.push(`${what} (${shape})`)
      // base64 of a longer text that has it in the middle: three ways to lie
      for (const shift of [0, 1, 2]) {
        const inside = Buffer.from(`${' '.repeat(shift)}${canary}`)
          .toString('base64')
          .replace(/=+$/, '')
          .slice(shift ? 4 : 0, -2)
        if (inside.length > 6 && everything.includes(inside)) found.push(`${what} (base64)`)
        if (inside.length > 6 && everything.includes(Buffer.from(inside).toString('base64url')))
          found.push(`${what} (base64 twice)`)
      }
    }
    expect(canaries.size).toBeGreaterThan(40)
    expect([...new Set(found)]).toEqual([])
  })

  test('nothing looks like a mail address, a telephone number, a token or a stack with words in it', () => {
    const lines = everything.split('\n')
    expect(
      lines.filter((line) => /[\w.+-]+@[\w-]+\.[a-z]{2,}/i.test(line.replace(/@[\w-]+\/[\w.-]+|node_modules\S*/g, ''))),
    ).toEqual([])
    expect(lines.filter((line) => /\beyJ[\w-]{10,}\./.test(line))).toEqual([])
    expect(lines.filter((line) => /\$argon2/.test(line))).toEqual([])
    expect(lines.filter((line) => /^\s+at /.test(line))).toEqual([])
  })
})
