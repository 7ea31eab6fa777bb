/** What `portico doctor` sees of the proxies, by asking the public address what a request through them looks like. */
import type { House } from '#cli'
import { Refusal } from '#core/refusal'
import { createNetworks, createOutbound, UNKNOWN_ADDRESS } from '#http'
import { checkProxies, type Finding, type Machine } from './doctor-machine.ts'
import { type Seen, writeTicket } from './doctor-seen.ts'

const ANYWHERE = ['0.0.0.0/0', '::/0']
/** Nobody's (RFC 5737): what somebody outside would write who wants to be somebody else. */
const MADE_UP = '192.0.2.77'

const check = 'proxies'
const failed = (say: string, fix: string): Finding => ({ check, state: 'failed', say, fix })
const warning = (say: string, fix: string): Finding => ({ check, state: 'warning', say, fix })

/** Asked twice: as everybody asks, and with a made-up `X-Forwarded-For`. Only where the public address is ours. */
export async function lookThrough({ storage }: House, machine: Machine): Promise<Finding[]> {
  const { issuer, proxies } = machine.settings
  const ask = createOutbound(ANYWHERE)
  const look = async (headers: Record<string, string>): Promise<Seen | undefined> => {
    const { status, body } = await ask(`${issuer}${await writeTicket(storage)}`, { headers })
    return status === 200 ? seenIn(body) : undefined
  }
  try {
    const usual = await look({})
    const madeUp = usual && (await look({ 'x-forwarded-for': MADE_UP }))
    if (!usual || !madeUp)
      return [
        ...[checkProxies(machine)].filter(({ state }) => state !== 'ok'),
        warning(
          'what answers at the public address keeps its state elsewhere, or is of another version: what it sees of proxies was not looked at',
          'ask from where `storage.url` and `state.url` are those of the server; start it anew after an upgrade',
        ),
      ]
    const trusted = createNetworks(proxies)
    const believed = trusted.has(usual.peer)
    const wrong = [
      addressFinding(usual, believed, issuer),
      madeUpFinding(madeUp),
      believed ? schemeFinding(usual, issuer) : undefined,
    ].filter((one) => one !== undefined)
    return wrong.length > 0 ? wrong : [well(usual, believed)]
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return [warning(`what the server sees could not be asked: ${error.detail ?? error.say}`, 'ask again')]
  }
}

const well = ({ peer, address }: Seen, trusted: boolean): Finding => ({
  ...{ check, state: 'ok' },
  say: trusted
    ? `${peer} stands in front, and is believed: we come from ${address}`
    : `none seen; we come from ${address}`,
})

function addressFinding({ peer, address, told }: Seen, trusted: boolean, issuer: string): Finding | undefined {
  const says = told.forwarded ?? told['x-forwarded-for']
  if (!trusted)
    return says === undefined
      ? undefined
      : failed(
          `${peer} stands in front and is not in \`proxies\`: everybody seems to come from there`,
          `add ${peer}, or the network of your proxies, to \`proxies\``,
        )
  if (says === undefined)
    // on a loopback address there need not be one
    return (issuer.startsWith('https:') ? failed : warning)(
      `${peer} is in \`proxies\` and does not say who asks: everybody seems to come from there`,
      'let it set X-Forwarded-For (nginx: `proxy_set_header X-Forwarded-For $remote_addr;`)',
    )
  return address === UNKNOWN_ADDRESS
    ? failed(
        `what ${peer} says of who asks cannot be read, or \`Forwarded\` and \`X-Forwarded-For\` disagree: everybody is unknown`,
        'let it set one of the two, and take away what clients send of the other',
      )
    : undefined
}

function madeUpFinding({ peer, address, told }: Seen): Finding | undefined {
  if (address !== MADE_UP) return undefined
  const last = told['x-forwarded-for']?.split(',').at(-1)?.trim()
  return last === MADE_UP
    ? failed(
        `${peer} passes on what clients write into X-Forwarded-For: anybody can come from anywhere`,
        'let it write that header itself (nginx: `proxy_set_header X-Forwarded-For $remote_addr;`)',
      )
    : warning(
        `${last} is in \`proxies\` as well, and we asked from there: whoever asks from there can say where from`,
        'name only the proxies in `proxies`, not a network in which others are; or ask from another machine',
      )
}

/** Forward-auth and API checks read it from the same proxies. */
function schemeFinding({ told }: Seen, issuer: string): Finding | undefined {
  const [said, asked] = [told['x-forwarded-proto'], new URL(issuer).protocol.slice(0, -1)]
  return said === undefined || said === asked
    ? undefined
    : warning(
        `it was asked over ${asked}, and X-Forwarded-Proto says ${said}`,
        'let the proxy at which TLS ends set X-Forwarded-Proto, and those behind it pass that on',
      )
}

function seenIn(body: string): Seen | undefined {
  try {
    const { peer, address, told } = JSON.parse(body) as Partial<Seen>
    return typeof peer === 'string' && typeof address === 'string' && typeof told === 'object'
      ? { peer, address, told }
      : undefined
  } catch {
    return undefined
  }
}
