/**
 * What stands in front of several gateways: connections that are kept, one gateway after the other, none whose `/readyz` says no, and
 * another try only where a connection was refused. Whoever sends asks for a token as a machine does.
 */
import { Agent, request as send } from 'node:http'

export interface Target {
  readonly port: number
  readonly managementPort?: number
}

export interface Load {
  /** Every access token that was answered. */
  readonly tokens: readonly string[]
  /** What else came of a request: `ECONNRESET`, `503 …`. */
  readonly failed: readonly string[]
  /** Resolves when so many more have their answer. */
  answered(more: number): Promise<void>
  stop(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: string
}

export function ask(
  port: number,
  options: { path: string; headers?: Record<string, string>; body?: string; agent?: Agent },
): Promise<Answer> {
  const { path, headers, body, agent } = options
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const request = send(
      { host: '127.0.0.1', port, path, method, headers, ...(agent ? { agent } : {}) },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
        response.once('end', () => resolve({ status: response.statusCode!, body: text }))
        response.once('error', reject)
      },
    )
    request.setTimeout(30_000, () => request.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })))
    request.once('error', reject)
    request.end(body)
  })
}

export function startLoad(targets: readonly Target[], authorization: string, atOnce = 8): Load {
  const agent = new Agent({ keepAlive: true })
  const tokens: string[] = []
  const failed: string[] = []
  const up = new Set(targets)
  const waiting = new Set<() => void>()
  let going = true
  let turn = 0

  async function look(target: Target): Promise<void> {
    const ready = await ask(target.managementPort!, { path: '/readyz' }).catch(() => undefined)
    if (ready?.status === 200) up.add(target)
    else up.delete(target)
  }
  const probe = async (target: Target) => {
    while (going && target.managementPort !== undefined) {
      await look(target)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async function once(): Promise<void> {
    for (let tries = 0; going && tries < 1000; tries++) {
      const among = up.size > 0 ? [...up] : targets
      const target = among[turn++ % among.length]!
      try {
        const { status, body } = await ask(target.port, {
          ...{ path: '/oauth2/token', agent, body: 'grant_type=client_credentials' },
          headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        })
        if (status === 200) tokens.push((JSON.parse(body) as { access_token: string }).access_token)
        else failed.push(`${status} ${body.slice(0, 200)}`)
        return
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'ECONNREFUSED') {
          failed.push(code ?? String(error))
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    if (going) failed.push('refused for too long')
  }

  const visitor = async () => {
    while (going) {
      await once()
      for (const look of waiting) look()
    }
  }
  const all = [...targets.map(probe), ...Array.from({ length: atOnce }, visitor)]
  return {
    tokens,
    failed,
    answered: (more) =>
      new Promise((resolve) => {
        const enough = tokens.length + more
        const look = () => {
          if (tokens.length < enough) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
      }),
    async stop() {
      going = false
      await Promise.all(all)
      agent.destroy()
    },
  }
}
