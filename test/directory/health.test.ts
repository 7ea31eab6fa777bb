/** What probes and graphs see of a directory that is down, on a real gateway. */
import { expect, onTestFinished, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

test('/readyz and /metrics tell which directory is down; the server stays ready, and finds out by itself', async () => {
  const slapd = await startSlapd([{ uid: 'sam', name: 'Sam', password: 'correct horse' }])
  onTestFinished(() => slapd.end())
  const way = await startTcpProxy({ to: slapd.port })
  onTestFinished(() => way.close())
  const staff = {
    ...slapd.settings({ url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }),
    ca_file: undefined,
    degraded: { tiers: ['standard'] },
  }
  let time = Date.now()
  const gateway = await startGateway({
    settings: { directories: [{ id: 'local', kind: 'local' }, staff] },
    clock: { now: () => time },
  })
  onTestFinished(() => gateway.close())
  const { server } = gateway
  const ask = async (path: string) => fetch(`http://127.0.0.1:${server.managementPort}${path}`)
  const seen = async () => {
    const ready = await ask('/readyz')
    const { directories } = (await ready.json()) as { directories: { id: string; state: string; since?: string }[] }
    const up = /^portico_directory_up\{directory="staff"\} (\d)$/m.exec(await (await ask('/metrics')).text())?.[1]
    return { status: ready.status, local: directories[0], staff: directories[1], up }
  }
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      time += 1000
      await server.look()
    }
  }

  await pass(2)
  expect(await seen()).toMatchObject({ status: 200, local: { state: 'up' }, staff: { state: 'up' }, up: '1' })
  way.cut()
  await pass(20)
  const down = await seen()
  expect(down).toMatchObject({ status: 200, staff: { id: 'staff', state: 'down' }, up: '0' })
  expect(time - Date.parse(down.staff!.since!)).toBeLessThanOrEqual(20_000)
  expect(gateway.log()).toMatch(/"event":"directory-down","directory":"staff","code":"[\w-]+"/)
  way.restore()
  await pass(2)
  const back = await seen()
  expect(back).toMatchObject({ status: 200, staff: { state: 'up' }, up: '1' })
  expect(back.staff).not.toHaveProperty('since')
})
