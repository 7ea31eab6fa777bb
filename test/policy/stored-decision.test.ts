/** `policy explain --receipt`: decided by the policies of then, helped by those of now, whatever has become of either. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { loadSettings, type Settings } from '#config'
import { silentLog } from '#core/log'
import { decide, type Facts, type Gathered, loadPolicies } from '#policy'
import { openHouse } from '../../src/house.ts'
import { missingFile } from '../../src/missing.ts'

const VERBS = await allVerbs()

const NINE = Date.parse('2026-11-23T09:00:00Z')
const clock = { now: () => NINE }
const BASE = {
  'networks.yaml': 'networks: { office: { ranges: [198.51.100.0/25] } }\n',
  'administrators.yaml':
    'policy: administrators\nrules: [{ name: admins, when: { user.groups: [administrators] }, allow: {} }]\n',
  'account.yaml': 'policy: account\nrules: [{ name: all, allow: {} }]\n',
}
const crm = (...rules: string[]) => ({ ...BASE, 'crm.yaml': `policy: crm\nrules: [${rules.join(', ')}]\n` })
const TWO = crm('{ name: two, allow: { strength: two-factors } }')
const ANY = crm('{ name: all, allow: {} }')
const CLOSED = crm('{ name: closed, when: { network: { outside: [office] } }, deny: {} }', '{ name: in, allow: {} }')
const BROKEN = crm('{ nam: broken }')
const SOMEWHERE = crm('{ name: somewhere, when: { country: [NL] }, deny: {} }', '{ name: all, allow: {} }')
const CATALOG = join(import.meta.dirname, '../../apps-catalog')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-stored-'))
  const settings = `storage: { url: 'sqlite:p.db' }\nsecrets: { key_file: key }\ncatalog: ${CATALOG}\n`
  writeFileSync(join(folder, 'portico.yaml'), settings)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = ({ settings }: { settings: Settings }) => openHouse({ settings, folder, clock, log: silentLog })

function write(files: Readonly<Record<string, string>>, name = 'policies'): string {
  const dir = join(folder, name)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
  return dir
}

async function inHouse<T>(use: (house: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
  const house = await open({ settings: loadSettings(join(folder, 'portico.yaml')).settings! })
  try {
    return await use(house)
  } finally {
    await house.close()
  }
}

async function portico(line: string) {
  const [out, err] = [[] as string[], [] as string[]]
  const code = await runCommand({
    words: [...line.split(' '), '--config', join(folder, 'portico.yaml')],
    verbs: VERBS,
    openHouse: open,
    missing: missingFile,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    clock,
  })
  return { code, out, err, text: out.join('\n') }
}

async function publish(files: Readonly<Record<string, string>>) {
  write(files)
  expect(await portico('policy publish')).toMatchObject({ code: 0 })
}

const register = (policy: string) =>
  inHouse(async ({ catalog }) => {
    const oidc = { redirect_uris: ['https://crm.example.org/cb'], scopes: ['openid'] }
    await catalog.apps.remove('crm', 'test').catch(() => undefined)
    await catalog.apps.register({ id: 'crm', name: 'CRM', policy, audience: ['*'], oidc } as never, 'test')
  })

/** Sam opened the CRM from outside with a password, under these policies. */
async function opened(files: Readonly<Record<string, string>>, gathered: Gathered = []) {
  const { policies } = loadPolicies(write(files))
  await register('crm')
  const facts: Facts = {
    at: NINE,
    request: { kind: 'app', started: NINE },
    user: { id: 'p1', username: 'sam', groups: ['staff'], organisation: null, directory: 'local', attributes: {} },
    app: { id: 'crm', policy: 'crm', tags: [], tier: 'standard', audience: ['*'] },
    network: { ip: '203.0.113.9' },
    device: { known: false, enrolled: false, kind: 'personal', site: null },
    session: { started: NINE, authenticated: [{ factor: 'password', at: NINE }] },
  }
  return inHouse(({ receipts }) => receipts.add(facts, decide(policies!, facts), gathered))
}

const CANNOT_TELL = 'the policies in force cannot be read, so what would help now cannot be told'

describe('a receipt whose policies are stored', () => {
  let explain: (more?: string) => ReturnType<typeof portico>
  beforeEach(async () => {
    const reference = await opened(TWO)
    await publish(TWO)
    explain = (more = '') => portico(`policy explain --receipt ${reference}${more}`)
  })

  test('and in force: decided by them, and helped by them', async () => {
    const { code, out, text } = await explain()
    expect([code, out[1]]).toEqual([0, 'decided by these policies; decided again:'])
    expect(text).toMatch(/^CHALLENGE {2}crm › two/m)
    expect(text).toMatch(/^ {2}helps {6}.*give passkey/m)
  })

  test('others in force would let it pass: that is what helps', async () => {
    await publish(ANY)
    const { out, text } = await explain()
    expect(out.slice(1, 3)).toEqual([
      'decided by these policies, which are not those in force now; decided again:',
      'the policies in force now would let it pass',
    ])
    expect(text).toMatch(/^CHALLENGE {2}crm › two/m)
    expect(text).not.toMatch(/^ {2}helps/m)
    const { decision, passes_now } = JSON.parse((await explain(' --json')).text)
    expect([decision.rule, decision.suggestion, passes_now]).toEqual(['two', undefined, true])
  })

  test('others in force ask something else: that helps, and not what would have helped then', async () => {
    await publish(CLOSED)
    const { text } = await explain()
    expect(text).toMatch(/^CHALLENGE {2}crm › two/m)
    expect(text).toMatch(/^ {2}helps {6}be in office$/m)
  })

  test('the app goes by another policy since, or is gone: what would help nobody can tell', async () => {
    await publish(ANY)
    await register('account')
    expect((await explain()).text).not.toMatch(/let it pass|helps/)
    await publish(CLOSED)
    expect((await explain()).text).not.toMatch(/let it pass|helps/)
    await inHouse(({ catalog }) => catalog.apps.remove('crm', 'test'))
    expect((await explain()).text).not.toMatch(/let it pass|helps/)
  })

  test('a policy folder that is broken, or gone, keeps nobody from it', async () => {
    write(BROKEN)
    expect(await explain()).toMatchObject({ code: 0, err: [] })
    rmSync(join(folder, 'policies'), { recursive: true })
    expect(await explain()).toMatchObject({ code: 0, err: [] })
  })

  test('what is in force cannot be read: it is decided all the same, and what is not told is said', async () => {
    await publish(CLOSED)
    await inHouse(({ storage }) =>
      storage.records.deleteFrom('policy_files').where('text', 'like', '%name: closed%').execute(),
    )
    const { code, err, text } = await explain()
    expect([code, err]).toEqual([0, [expect.stringContaining('publication 2 cannot be used'), CANNOT_TELL]])
    expect(text).toMatch(/^CHALLENGE {2}crm › two/m)
    expect(text).not.toMatch(/^ {2}helps/m)
  })
})

test('a receipt whose policies are stored nowhere, and a broken folder: what was decided, and why it is not decided again', async () => {
  const reference = await opened(TWO)
  write(BROKEN)
  const { code, out, err } = await portico(`policy explain --receipt ${reference}`)
  expect(code).toBe(2)
  expect(out).toEqual([
    `${reference}  2026-11-23T09:00:00.000Z  challenge  crm › two  by sam  to crm`,
    'what decided it is not stored, and the policies in force cannot be read: there is nothing to decide it by',
  ])
  expect(err.join('\n')).toMatch(/crm\.yaml:2:\d+ unknown-key /)
  expect(err.at(-1)).toBe(CANNOT_TELL)
  // what people were told then is gone as well, and needs no policies
  await inHouse(({ receipts }) => receipts.forget('p1'))
  expect((await portico(`policy explain --receipt ${reference}`)).out[1]).toBe('what was known then is gone')
})

test('by a candidate: what nobody looked for then is told apart from what was not found', async () => {
  const told = async (gathered: Gathered) => {
    const reference = await opened(ANY, gathered)
    const { out } = await portico(
      `policy explain --receipt ${reference} --policies ${write(SOMEWHERE, 'candidate')} --policy crm`,
    )
    return out.slice(2, out.indexOf(''))
  }
  expect(await told([])).toEqual(['nobody looked for this then, as no rule needed it, so it is unknown here: place'])
  expect(await told(['place'])).toEqual([])
})
