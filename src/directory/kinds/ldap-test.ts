/** `directories test`: every step by itself, with its time and what to do when it fails. */
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Entry } from 'ldapts'
import { stopwatch } from '#core/clock'
import type { TestStep } from '../kind.ts'
import { isAdministrators } from '../person.ts'
import { type Connected, close, codeOf, openSocket, type Server, withConnection } from './ldap-connection.ts'
import { toUpstream } from './ldap-entry.ts'
import type { Ldap } from './ldap-use.ts'

const FIXES: Readonly<Record<string, string>> = Object.freeze({
  ENOTFOUND: 'the host of `url` has no address: correct it, or the name server',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'nothing listens on this port: is the server running, is the port right?',
  EHOSTUNREACH: 'there is no way to this host: look at routes and firewalls',
  ENETUNREACH: 'there is no way to this network: look at routes and firewalls',
  ECONNRESET: 'the server hung up: with `ldaps://` on a plain port this is usual; try `ldap://` with `start_tls: true`',
  'connection-closed':
    'the server hung up: with `ldaps://` on a plain port this is usual; try `ldap://` with `start_tls: true`',
  timeout: 'no answer in time: a firewall that drops packets, or a server under load; `timeout` gives it longer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'nobody known signed its certificate: name the PEM file of its authority in `ca_file`',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known: name the PEM file of the authority in `ca_file`',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name its PEM file in `ca_file`',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not the one in `ca_file`: ask for the right PEM file',
  CERT_SIGNATURE_FAILURE: 'its certificate is not signed by the authority in `ca_file`: ask for the right PEM file',
  CERT_HAS_EXPIRED: 'its certificate has expired: the server needs a new one',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host: use the name in it as host of `url`',
  'ldap-1': 'the server wants something else first: often a bind, so set `bind_dn` and `bind_password`',
  'ldap-2': 'the server does not know this request: for StartTLS use `ldaps://` instead',
  'ldap-52': 'the server says it is unavailable; for StartTLS it may have no certificate: use `ldaps://`',
  'ldap-8': 'the server wants a stronger connection: use `ldaps://` or `start_tls: true`',
  'ldap-13': 'the server wants a private connection: use `ldaps://` or `start_tls: true`',
  'ldap-32': 'the place does not exist: correct `base_dn` or `group_base_dn`',
  'ldap-34': 'this is not a DN: correct `bind_dn`, `base_dn` or `group_base_dn`',
  'ldap-48': 'the server does not take an anonymous bind: set `bind_dn` and `bind_password`',
  'ldap-49': 'wrong `bind_dn` or `bind_password`',
  'ldap-50': 'the service account may not read this: give it read access',
})

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
export async function* testLdap(ldap: Ldap, username: string | undefined): AsyncGenerator<TestStep> {
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
  if (good) yield* testSearch(ldap, good, username)
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

async function* testSearch(ldap: Ldap, server: Server, username: string | undefined): AsyncGenerator<TestStep> {
  const { settings } = ldap
  const use = <T>(work: (connected: Connected) => Promise<T>) =>
    withConnection(server, async (connected) => {
      await ldap.bindService(connected)
      return work(connected)
    })
  // without a name, a search for one that nobody has still shows whether `base_dn` exists and may be read
  const searched = await timed(
    'search',
    () => use((c) => ldap.find(c, username ?? 'portico-directory-test')),
    ({ found, entry }) => tellFound(found, entry, username),
  )
  yield searched.step
  const entry = searched.value?.entry
  if (!entry || username === undefined) return
  const person = toUpstream(entry, settings, undefined)
  const mapped = person
    ? { say: [person.usernames[0], person.name, person.mail ?? 'no mail', person.language ?? 'no language'].join(', ') }
    : {
        say: 'the entry has no usable id or user name',
        fix: 'correct `attributes.id` and `attributes.username`, and let the service account read them',
      }
  yield { step: 'person', ok: person !== undefined, ms: 0, ...mapped }
  const groups = await timed('groups', () => use((c) => ldap.groups(c, entry, username)), tellGroups)
  yield groups.step
}

function tellFound(found: number, entry: Entry | undefined, username: string | undefined): Told {
  if (username === undefined) return { say: 'the place can be searched' }
  if (entry) return { say: 'exactly one entry' }
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
