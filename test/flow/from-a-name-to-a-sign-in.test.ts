/**
 * The story of a new administrator: `apps add` at a terminal, at most two fields, one command on our side, and then somebody is signed
 * in to a real app of each kind. Counted is what is typed besides Enter.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { certificatesOf, childrenOf, METADATA, readXml } from '#saml'
import { createBrowser } from '../../demo/browser.ts'
import { fetchPage } from '../support/page-fetch.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { type EchoApp, type RunningProxy, startEchoApp, startProxy } from '../support/proxies.ts'
import { typePassword } from '../support/relying-party.ts'
import { readAnswer, redirectTo, requestId, requestXml } from '../support/saml-app.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { type AtTerminal, atTerminal, CTRL_C } from '../support/terminal.ts'

const SHIPPED = join(import.meta.dirname, '../../apps-catalog')
const APP = 'http://localhost:9'
const head = (slug: string, name: string) => ({
  slug,
  name,
  vendor: 'Kestrel',
  category: 'generic',
  sources: ['https://example.com/'],
})
let catalog: string
let place: Place
let server: Serving
let echo: EchoApp
let proxyPort: number
const proxies: RunningProxy[] = []
const terminals: AtTerminal[] = []

beforeAll(async () => {
  catalog = mkdtempSync(join(tmpdir(), 'portico-catalog-'))
  proxyPort = await freePort()
  echo = await startEchoApp()
  const templates = {
    grafana: parse(readFileSync(join(SHIPPED, 'grafana.yaml'), 'utf8')),
    travel: {
      ...head('travel', 'Travel desk'),
      inputs: { tenant: { label: 'Tenant', example: 'acme', kind: 'slug' } },
      saml: {
        entity_id: 'https://{tenant}.travel.example/saml',
        acs_urls: ['https://{tenant}.travel.example/acs'],
        name_id_format: 'emailAddress',
      },
      defaults: { policy: 'default', tags: ['care'] },
    },
    'travel-old': {
      ...head('travel-old', 'Travel desk of before'),
      oidc: { redirect_uris: ['https://old.example/cb'] },
    },
    wiki: {
      ...head('wiki', 'Wiki'),
      inputs: { host: { label: 'Host name of the wiki', example: 'wiki.example.com', kind: 'host' } },
      forward_auth: { hosts: [`{host}:${proxyPort}`], upstream: `http://127.0.0.1:${echo.port}` },
      defaults: { policy: 'default' },
    },
  }
  mkdirSync(catalog, { recursive: true })
  for (const [slug, template] of Object.entries(templates))
    writeFileSync(join(catalog, `${slug}.yaml`), stringify(template))
  place = await makePlace({
    policies: {
      ...POLICIES,
      'default.yaml': 'policy: default\nrules:\n  - { name: staff, when: { user.groups: [staff] }, allow: {} }\n',
    },
    settings: { catalog, proxies: ['127.0.0.1'] },
    people: [{ username: 'sam', name: 'Sam', mail: 'sam@kestrel.example', groups: ['staff', 'care'] }],
  })
  server = await serve(place.config)
}, 120_000)
afterAll(async () => {
  for (const terminal of terminals) await terminal.stop()
  for (const proxy of proxies) await proxy.close()
  await server?.stop()
  await echo?.close()
  await place?.remove()
  if (catalog) rmSync(catalog, { recursive: true, force: true })
})

function add(...words: string[]): AtTerminal {
  const terminal = atTerminal(['apps', 'add', ...words, '--config', place.config])
  terminals.push(terminal)
  return terminal
}

/** Answers each question as it comes, and counts what was not simply taken as it was offered. */
async function answer(terminal: AtTerminal, answers: readonly (readonly [RegExp, string])[]): Promise<number> {
  for (const [question, text] of answers) {
    await terminal.shows(question)
    terminal.type(`${text}\r`)
  }
  return answers.filter(([, text]) => text !== '').length
}

const list = async () => JSON.parse(await printed('apps', 'list', '--json')) as { id: string; policy: string }[]
async function printed(...words: string[]): Promise<string> {
  const running = portico([...words, '--config', place.config])
  expect(await running.exited, running.err()).toBe(0)
  return running.out()
}

describe('from a name to a sign-in, one command', () => {
  test('OpenID Connect: one field, and the gateway says when the first person has signed in', async () => {
    const terminal = add('grafana', '--wait')
    const fields = await answer(terminal, [
      [/Grafana URL \(like .*\): /, APP],
      [/Policy \[default\]: /, ''],
      [/Who may open it \[staff\]: /, ''],
      [
        /This registers[\s\S]*redirect_uris +http:\/\/localhost:9\/login\/generic_oauth[\s\S]*Register it\? \[Y\/n\] /,
        '',
      ],
    ])
    expect(fields).toBeLessThanOrEqual(2)
    const [, secret] = await terminal.shows(/^GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET=(\S+)$/m)
    await terminal.shows(/waiting for the first sign-in of Grafana/)
    const client = await oidc.discovery(new URL(place.issuer), 'grafana', secret, undefined, {
      execute: [oidc.allowInsecureRequests],
    })
    const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()]
    const begun = oidc.buildAuthorizationUrl(client, {
      redirect_uri: `${APP}/login/generic_oauth`,
      scope: 'openid profile email groups',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    const browser = createBrowser({ stopAt: APP })
    const page = await typePassword(browser, await browser.open(begun.href), 'sam')
    const tokens = await oidc.authorizationCodeGrant(client, page.url, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
    expect(tokens.claims()).toMatchObject({ aud: 'grafana', preferred_username: 'sam' })
    const [, reference] = await terminal.shows(/first sign-in at \d\d:\d\d by ([0-9A-Z]{4}-[0-9A-Z]{4})/)
    expect(await terminal.exited).toBe(0)
    expect(terminal.screen(), 'nobody is named').not.toContain('sam')
    expect(await printed('policy', 'explain', '--receipt', reference!)).toContain('grafana')
  }, 400_000)

  test('SAML: searched for by a word, one field', async () => {
    const terminal = add()
    const fields = await answer(terminal, [
      [/Which app\? /, 'travel desk'],
      [/1 {2}travel {2}Travel desk[\s\S]*Number, or another word: /, '1'],
      [/Tenant \(like acme\): /, 'kestrel'],
      // a group is called like the tag of the template
      [/Policy \[default\]: /, ''],
      [/Who may open it \[care\]: /, ''],
      [/Register it\? \[Y\/n\] /, 'y'],
    ])
    // the search, its choice and the yes are no fields of the app
    expect(fields - 3).toBeLessThanOrEqual(2)
    await terminal.shows(/SAML_IDP_METADATA_URL='http:\/\/localhost:\d+\/saml\/metadata'/)
    expect(await terminal.exited).toBe(0)
    const browser = createBrowser({ stopAt: 'https://kestrel.travel.example' })
    const [id, issuer] = [requestId(), 'https://kestrel.travel.example/saml']
    const asked = redirectTo(`${place.issuer}/saml/sso`, requestXml(place.issuer, { id, issuer }))
    const page = await typePassword(browser, await browser.open(asked), 'sam')
    const metadata = readXml(await (await fetch(`${place.issuer}/saml/metadata`)).text(), {
      size: 1e6,
      comments: 'refused',
    })
    const certificates = certificatesOf(childrenOf(metadata, METADATA, 'IDPSSODescriptor')[0]!, 'signing')
    const read = await readAnswer(page, {
      certificates,
      issuer: place.issuer,
      requestId: id,
      acs: 'https://kestrel.travel.example/acs',
      audience: issuer,
    })
    expect(read.acs).toBe('https://kestrel.travel.example/acs')
    expect(read.facts.nameId?.value).toBe('sam@kestrel.example')
  }, 400_000)

  test('behind a proxy: one field, and nginx with exactly what was printed', async () => {
    const terminal = add('wiki')
    const fields = await answer(terminal, [
      [/Host name of the wiki \(like .*\): /, '127.0.0.1'],
      [/Policy \[default\]: /, ''],
      [/Who may open it \[staff\]: /, ''],
      [/Proxy in front of it \[nginx\]: /, ''],
      [/Register it\? \[Y\/n\] /, ''],
    ])
    expect(fields).toBeLessThanOrEqual(2)
    expect(await terminal.exited).toBe(0)
    const text = terminal.screen()
    const block = text.slice(text.search(/^# \/etc\/nginx/m))
    expect(block).toMatch(/proxy_pass http:\/\/127\.0\.0\.1/)
    proxies.push(await startProxy('nginx', proxyPort, [{ format: 'nginx', file: 'site', text: block }]))
    const browser = createBrowser({ fetch: fetchPage })
    const page = await typePassword(browser, await browser.open(`http://127.0.0.1:${proxyPort}/`), 'sam')
    expect(page.status).toBe(200)
    expect(JSON.parse(page.text).rawHeaders.join('\n')).toMatch(/Remote-User\nsam/i)
  }, 400_000)
})

describe('at the terminal', () => {
  test('what is wrong is asked again; Ctrl-C at any question, or a no, changes nothing', async () => {
    const before = await list()
    const questions: (readonly [RegExp, string])[] = [
      [/Which app\? /, 'grafana'],
      [/Grafana URL/, 'http://grafana.example.com'],
      [/expected an `https` address[\s\S]*Grafana URL/, 'https://grafana.example.com'],
      [/becomes `grafana-2`[\s\S]*Name that people see: /, 'Grafana'],
      [/no other app[\s\S]*Name that people see: /, 'Grafana of the stores'],
      [/Policy \[default\]: /, 'strickt'],
      [/expected one of [\s\S]*strict[\s\S]*Policy \[default\]: /, 'strict'],
      [/Who may open it \[staff\]: /, 'staf'],
      [/nobody is in staf\n[\s\S]*Who may open it/, '*'],
      [/id +grafana-2[\s\S]*audience +\*[\s\S]*Register it\? \[Y\/n\] /, 'n'],
    ]
    for (const end of [0, 4, questions.length - 1]) {
      const terminal = add()
      await answer(terminal, questions.slice(0, end))
      await terminal.shows(questions[end]![0])
      terminal.type(end === questions.length - 1 ? 'n\r' : CTRL_C)
      expect(await terminal.exited).toBe(1)
      expect(terminal.screen()).toContain('nothing was changed')
    }
    expect(await list()).toEqual(before)
  }, 600_000)

  test('with everything given nobody is asked; without a terminal never', async () => {
    const given = ['grafana', '--id', 'plain', '--name', 'Plain', '--set', `base_url=${APP}`, '--audience', 'staff']
    const terminal = add(...given)
    expect(await terminal.exited).toBe(0)
    expect(terminal.screen()).not.toContain('?')
    for (const words of [[], ['grafana']]) {
      const running = portico(['apps', 'add', ...words, '--config', place.config])
      expect(await running.exited).toBe(2)
      expect(running.err()).toMatch(words.length > 0 ? /input-missing: Grafana URL: --set base_url=/ : /^usage: /)
    }
  }, 400_000)

  test('`--wait` ends with 1 when nobody came in time, and the app stays', async () => {
    const running = portico([
      ...['apps', 'add', 'grafana', '--id', 'unused', '--name', 'Unused', '--set', `base_url=${APP}`],
      ...['--audience', 'staff', '--wait', '1s', '--config', place.config],
    ])
    expect(await running.exited).toBe(1)
    expect(running.out()).toContain('nobody has signed in to Unused within 1s')
    expect((await list()).map(({ id }) => id)).toContain('unused')
    const wrong = portico(['apps', 'add', 'grafana', '--wait=soon', '--config', place.config])
    expect(await wrong.exited).toBe(2)
    expect(wrong.err()).toContain('`--wait` takes a length of time like 10m')
  }, 400_000)
})
