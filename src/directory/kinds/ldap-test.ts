/** `directories test`: every step by itself, with its time and what to do when it fails. */
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Entry } from 'ldapts'
import { type Instant, stopwatch } from '#core/clock'
import type { TestStep } from '../kind.ts'
import { isAdministrators } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import { accountOf } from './ldap-account.ts'
import { type Connected, close, codeOf, openSocket, type Server, withConnection } from './ldap-connection.ts'
import { clean, idText, type LdapSettings, toUpstream } from './ldap-entry.ts'
import { ACCOUNT_FIXES, FIXES } from './ldap-fixes.ts'
import { targetsOf } from './ldap-referrals.ts'
import type { Found, Ldap } from './ldap-use.ts'
import { textsOrNot } from './ldap-values.ts'

type Told = { say: string; fix?: string }
type Answer<T> = { step: TestStep; value: T | undefined }

async function timed<T>(step: string, work: () => Promise<T>, tell: (value: T) => Told): Promise<Answer<T>> {
  const started = stopwatch()
  try {
    const value = await work()
    const ms = stopwatch() - started
    const told = tell(value)
    return { value, step: { step, ok: told.fix === undefined, ms, ...told } }
  } catch (error) {
    const code = codeOf(error)
    const fix = FIXES[code]
    return {
      value: undefined,
      step: { step, ok: false, ms: stopwatch() - started, say: code, ...(fix === undefined ? {} : { fix }) },
    }
  }
}

/** The steps as they happen: each server by itself, then what is asked of the first that answers. Never throws. */
export async function* testLdap(ldap: Ldap, username: string | undefined, now: Instant): AsyncGenerator<TestStep> {
  const { servers } = ldap
  let good: Server | undefined
  for (const server of servers) {
    let well = true
    for await (const step of testServer(ldap, server)) {
      well &&= step.ok
      yield step
    }
    if (well) good ??= server
  }
  if (good) yield* testSearch(ldap, good, username, now)
}

/** Ends with the first step that fails. */
async function* testServer(ldap: Ldap, server: Server): AsyncGenerator<TestStep> {
  const resolved = await timed(
    'resolve',
    () => lookup(server.host, { all: true }),
    (all) => ({ say: all.map(({ address }) => address).join(', ') }),
  )
  yield resolved.step
  if (!resolved.step.ok) return
  const reached = await timed(
    'connect',
    () => reach(server),
    () => ({ say: `${server.host} port ${server.port}` }),
  )
  yield reached.step
  if (!reached.step.ok) return
  if (server.tls !== 'none') {
    const secured = await timed(
      'tls',
      () => certificate(server),
      (say) => ({ say }),
    )
    yield secured.step
    if (!secured.step.ok) return
  }
  const bound = await timed(
    'bind',
    () => withConnection(server, ldap.bindService),
    () => ({ say: ldap.settings.bind_dn === '' ? 'anonymous' : 'as the service account' }),
  )
  yield bound.step
}

async function* testSearch(
  ldap: Ldap,
  server: Server,
  username: string | undefined,
  now: Instant,
): AsyncGenerator<TestStep> {
  const use = <T>(work: (connected: Connected) => Promise<T>) =>
    withConnection(server, async (connected) => {
      await ldap.bindService(connected)
      return work(connected)
    })
  // without a name, a search for one that nobody has still shows whether `base_dn` exists and may be read
  const searched = await timed(
    'search',
    () => use((c) => ldap.find(c, username ?? 'portico-directory-test')),
    (result) => tellFound(result, ldap, username),
  )
  yield searched.step
  const entry = searched.value?.entry
  if (!entry || username === undefined) return
  const person = toUpstream(entry, ldap.settings, undefined, now)
  const who = tellPerson(person, entry, ldap.settings)
  yield { step: 'person', ok: who.fix === undefined, ms: 0, ...who }
  if (!person) return
  const groups = await timed('groups', () => use((c) => ldap.groups(c, entry, username)), tellGroups)
  yield groups.step
  if (!groups.step.ok) return
  const account = tellAccount(entry, ldap.settings, now)
  yield { step: 'account', ok: account.fix === undefined, ms: 0, ...account }
  if (account.fix !== undefined) return
  yield {
    step: 'strength',
    ok: true,
    ms: 0,
    say: 'a password counts as `any`; whatever is stronger is asked for here',
  }
}

function tellPerson(person: UpstreamPerson | undefined, entry: Entry, settings: LdapSettings): Told {
  const { attributes, template } = settings
  if (!person)
    return {
      say: 'the entry has no usable id or user name',
      fix: 'correct `attributes.id` and `attributes.username`, and let the service account read them',
    }
  const other = Object.entries(person.attributes ?? {}).map(([name, values]) => `${name} ${values.join(' + ')}`)
  const parts = [
    person.usernames[0],
    person.name,
    person.mail ?? 'no mail',
    person.language ?? 'no language',
    `${attributes.id} ${idText(person.upstreamId, template)}`,
    ...other,
  ]
  const unreadable = TEXTS.map((one) => attributes[one]).filter((name) => textsOrNot(entry, name).includes(undefined))
  return {
    say: parts.join(', '),
    ...(unreadable.length > 0 && {
      fix: `correct ${[...new Set(unreadable)].map((name) => `\`${name}\``).join(', ')} in the directory: what stands there is no UTF-8, and is left out`,
    }),
  }
}

const TEXTS = ['username', 'name', 'given_name', 'family_name', 'mail', 'language'] as const

function tellAccount(entry: Entry, { template }: LdapSettings, now: Instant): Told {
  const { disabled, states } = accountOf(entry, template, now)
  const fixes = states.map((state) => ACCOUNT_FIXES[state]!)
  if (states.length > 0) return { say: states.join(', '), fix: [...new Set(fixes)].join('; ') }
  if (disabled === undefined)
    return {
      say: 'the directory does not tell whether it may be used',
      fix: 'let the service account read `userAccountControl`, or people who are switched off there go on here',
    }
  return { say: 'may be used' }
}

function tellFound({ found, entry, references }: Found, { referred, settings }: Ldap, username?: string): Told {
  if (username === undefined) return { say: 'the place can be searched' }
  if (entry) return { say: 'exactly one entry' }
  const elsewhere = targetsOf(references, referred, settings.base_dn).length > 0
  if (found === 0 && elsewhere)
    return {
      say: 'nobody; it points to a server in `referrals`',
      fix: 'name that server in `url` of a directory by itself to test it; sign-ins go on there',
    }
  if (found === 0 && references.length > 0)
    return {
      say: `nobody; it points to ${references.slice(0, 3).map(clean).join(', ')}`,
      fix: 'correct `base_dn` or `user_filter`; where that server has these people, allow it in `referrals`',
    }
  if (found === 0)
    return { say: 'nobody', fix: 'correct `base_dn` or `user_filter`, or let the service account read the entries' }
  if (found > 1)
    return { say: 'more than one entry', fix: 'make `user_filter` narrower: one name must find one person' }
  return { say: 'an entry whose name is spelled otherwise', fix: 'use the exact spelling of the directory' }
}

/** The groups that are taken over, and whether there are others. */
function tellGroups(all: readonly string[]): Told {
  const taken = all.filter((group) => !isAdministrators(group))
  const left = taken.length === all.length ? '' : '; administrators is left out: it is given in Portico only'
  return { say: `${taken.join(', ') || 'none'}${left}` }
}

/** Connects without TLS and hangs up: so a closed port and a wrong certificate are two different lines. */
async function reach({ host, port, timeout }: Server): Promise<void> {
  const socket = connect({ host, port, timeout })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('error', reject)
      socket.once('timeout', () => reject(new Error('timeout')))
    })
  } finally {
    socket.destroy()
  }
}

async function certificate(server: Server): Promise<string> {
  let open: Socket | undefined
  const timer = setTimeout(() => open?.destroy(new Error('timeout')), server.timeout)
  try {
    const socket = await openSocket(server, (opened) => {
      open = opened
    })
    if (!(socket instanceof TLSSocket)) return 'none'
    const { valid_to: until } = socket.getPeerCertificate()
    return `${socket.getProtocol()}, certificate valid until ${until}`
  } finally {
    clearTimeout(timer)
    close(open)
  }
}
