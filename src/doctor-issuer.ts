/** What `portico doctor` sees of the public address, asked for as everybody asks for it. */
import { connect, type PeerCertificate } from 'node:tls'
import { type Clock, days, type Millis, seconds } from '#core/clock'
import { Refusal } from '#core/refusal'
import { createOutbound } from '#http'
import { clockFinding } from './doctor-house.ts'
import type { Finding, Machine } from './doctor-machine.ts'

/** It is the operator's own address, wherever it is. */
const ANYWHERE = ['0.0.0.0/0', '::/0']
const LONGEST_WAIT: Millis = seconds(5)
const SOON: Millis = days(21)

export async function checkIssuer({ settings: { issuer }, clock }: Machine): Promise<Finding[]> {
  const url = new URL(issuer)
  const tls = url.protocol === 'https:' ? await checkCertificate(url, clock) : undefined
  return [...(tls ? [tls] : []), ...(await checkDiscovery(issuer, clock))]
}

async function checkDiscovery(issuer: string, clock: Clock): Promise<Finding[]> {
  const check = 'issuer'
  const before = clock.now()
  try {
    const { status, headers, body } = await createOutbound(ANYWHERE)(`${issuer}/.well-known/openid-configuration`)
    const said = status === 200 ? issuerIn(body) : undefined
    if (said !== issuer)
      return [
        {
          ...{
            check,
            state: 'failed',
            say: `${issuer} answers ${status}${said === undefined ? ' and is no Portico' : ` for ${said}`}`,
          },
          fix: 'let the proxy of that address send requests to `listen`, with the path as it is; or set `issuer` to what people see',
        },
      ]
    const at = Date.parse(headers['date'] ?? '')
    return [
      { check, state: 'ok', say: `${issuer} answers with our discovery document` },
      // whole seconds: it was up to one second later
      ...(Number.isNaN(at) ? [] : [clockFinding('the public address', (before + clock.now()) / 2 - at - 500)]),
    ]
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return [
      {
        ...{
          check,
          state: 'failed',
          say: `${issuer} cannot be reached from here${error.detail ? `: ${error.detail}` : ''}`,
        },
        fix: 'start the gateway, and see name, port and firewall of that address; where it is only seen from outside, ask from there',
      },
    ]
  }
}

function issuerIn(body: string): string | undefined {
  try {
    const { issuer } = JSON.parse(body) as { issuer?: unknown }
    return typeof issuer === 'string' ? issuer : undefined
  } catch {
    return undefined
  }
}

/** As browsers judge it: chain, name and time. */
function checkCertificate(url: URL, clock: Clock): Promise<Finding> {
  const check = 'tls'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(url.port || 443), servername: host, timeout: LONGEST_WAIT })
    const end = (finding: Finding) => {
      socket.destroy()
      resolve(finding)
    }
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      const fix = CAUSES.find(([pattern]) => pattern.test(code ?? ''))?.[1] ?? 'see what listens at that address'
      end({ check, state: 'failed', say: `no browser would go on (${code ?? 'unknown error'})`, fix })
    })
    socket.on('timeout', () =>
      end({
        check,
        state: 'failed',
        say: 'nothing answers in five seconds',
        fix: 'see name, port and firewall of that address',
      }),
    )
    socket.on('secureConnect', () => end(ageFinding(socket.getPeerCertificate(), clock)))
  })
}

function ageFinding(certificate: PeerCertificate, clock: Clock): Finding {
  const check = 'tls'
  const left = Date.parse(certificate.valid_to) - clock.now()
  const say = `the certificate is believed, and ends in ${Math.floor(left / days(1))} days`
  return left < SOON
    ? { check, state: 'warning', say, fix: 'renew it, and see why that does not happen by itself' }
    : { check, state: 'ok', say }
}

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/EXPIRED/, 'renew the certificate'],
  [/NOT_YET_VALID/, 'set the clock, here or where the certificate was made'],
  [/ALTNAME/, 'get a certificate for the name in `issuer`'],
  [
    /SELF_SIGNED|UNABLE_TO/,
    'let the proxy send the authorities in between as well; an authority of your own: NODE_EXTRA_CA_CERTS',
  ],
]
