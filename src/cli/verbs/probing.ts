/** `apps probe` at work: what was asked for, the word that it is meant, the report. */
import type { App } from '#catalog'
import { createOutbound, isLoopback } from '#http'
import { openProbe, PROBED_PROTOCOLS, type ProbedProtocol } from '#probe'
import type { Arguments, Context } from '../verb.ts'
import { rows } from './app-lines.ts'
import { keptReport, reportLines } from './probe-lines.ts'

const BY = 'cli'
const LISTEN = '127.0.0.1:9191'

export async function showLast({ id }: App, context: Context): Promise<number> {
  const { catalog } = await context.open()
  const kept = await catalog.apps.probes(id)
  const reports = kept.map(keptReport)
  context.print(reports, () => (kept.length > 0 ? reports.flatMap(reportLines) : 'never probed'))
  return kept.length > 0 && reports.every(({ grade }) => grade === 'green') ? 0 : 1
}

interface Wanted {
  readonly protocol: ProbedProtocol
  readonly target: URL
  readonly check: URL | undefined
  readonly through: URL | undefined
  readonly listen: { readonly host: string; readonly port: number }
  readonly public: string | undefined
}

export async function probe(app: App, args: Arguments, context: Context): Promise<number> {
  const wanted = readWanted(app, args)
  if (typeof wanted === 'string') {
    context.err(wanted)
    return 2
  }
  const named = [wanted.target, ...(wanted.through ? [wanted.through] : [])].map(({ host }) => host)
  if (!args.has('setup') && !args.has('yes') && !context.questions) {
    context.err(`this sends hostile sign-ins to ${named.join(' and ')}: say --yes, or answer on a terminal`)
    return 2
  }
  const { catalog, storage, keys, clock } = await context.open()
  const outbound = createOutbound(context.settings.outbound.allow)
  const opened = await openProbe({ app, ...wanted, outbound, storage, keys, clock })
  try {
    const say = context.json && !args.has('setup') ? context.err : context.out
    if (args.has('setup')) context.print(opened.values, () => rows(opened.values))
    else for (const line of rows(opened.values)) say(line)
    if (args.has('setup')) return 0
    if (ownOrigins(app).includes(wanted.target.origin))
      context.err(`warning: ${wanted.target.origin} is registered as the address of the app itself, not of a test copy`)
    if (!args.has('yes') && !(await confirmed(named, context))) {
      context.err('nothing was sent')
      return 2
    }
    const report = await opened.run(context.progress)
    const { protocol, grade, at } = report
    await catalog.apps.keepProbe(app.id, { protocol, grade, at, report }, BY)
    const told = keptReport({ protocol, grade, at, report })
    context.print(told, () => reportLines(told))
    return grade === 'green' ? 0 : 1
  } finally {
    await opened.close()
  }
}

/** The host name typed once more: a copied command hits what was meant when it was copied. */
async function confirmed([host, ...more]: readonly string[], { questions, out }: Context): Promise<boolean> {
  const asking = questions?.()
  out(`Enter these values at the test copy. Then hostile sign-ins are sent to ${[host, ...more].join(' and ')}.`)
  try {
    return (await asking?.ask(`Type ${host} to go on: `)) === host
  } finally {
    asking?.close()
  }
}

function ownOrigins({ oidc, saml, forwardAuth }: App): string[] {
  const addresses = [...(oidc?.redirectUris ?? []), ...(saml?.acsUrls ?? [])]
  const hosts = (forwardAuth?.hosts ?? []).map((host) => `https://${host}`)
  return [...addresses, ...hosts].flatMap((one) => URL.parse(one)?.origin ?? [])
}

/** What was asked for, or what is wrong with it. */
function readWanted(app: App, args: Arguments): Wanted | string {
  const spoken = { oidc: app.oidc, saml: app.saml, forward_auth: app.forwardAuth }
  const possible = PROBED_PROTOCOLS.filter((key) => spoken[key] !== undefined)
  const protocol = possible.find((key) => key === (args.flag('protocol') ?? possible[0]))
  if (!protocol) return `--protocol: expected one of those that the app speaks: ${possible.join(', ')}`
  if (protocol === 'oidc' && app.oidc?.redirectUris.length === 0)
    return 'nobody signs in to this app, so there is nothing to probe'
  const [host = '', port = ''] = splitHost(args.flag('listen') ?? LISTEN)
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return '--listen: expected `host:port`'
  const ours = args.flag('public')
  const origin = ours === undefined ? undefined : URL.parse(ours)?.origin
  if (ours !== undefined && (origin === undefined || origin === 'null' || origin !== ours.replace(/\/$/, '')))
    return '--public: expected an origin like https://probe.example.com'
  if (origin?.startsWith('http:') && !isLoopback(new URL(origin).hostname)) return '--public: expected https'
  const listen = { host, port: Number(port) }
  const plain = { protocol, listen, public: origin, check: undefined, through: undefined }
  // nothing is sent anywhere
  if (args.has('setup')) return { ...plain, target: new URL(args.flag('target') ?? 'http://target.invalid/') }
  const target = readAddress(args.flag('target'))
  if (!target)
    return '--target: expected the address where the sign-in of the test copy begins, like https://test.example.com/login'
  const check = readAddress(args.flag('check'))
  if (args.flag('check') !== undefined && check?.origin !== target.origin)
    return `--check: expected an address on ${target.origin}, for nothing is sent anywhere else`
  const through = readAddress(args.flag('through'))
  if (args.flag('through') !== undefined && (!through || protocol !== 'forward_auth'))
    return '--through: expected the address that people use, of an app behind a proxy'
  return { ...plain, target, check, through }
}

const splitHost = (text: string): string[] => {
  const at = text.lastIndexOf(':')
  return at < 0 ? [text] : [text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), text.slice(at + 1)]
}

function readAddress(text: string | undefined): URL | undefined {
  const url = URL.parse(text ?? '')
  return url && /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : undefined
}
