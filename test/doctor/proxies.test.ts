/** `portico doctor` asks the public address through a real nginx that is set up well, and wrongly in one way after the other. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { lookThrough } from '../../src/doctor-proxies.ts'
import { writeTicket } from '../../src/doctor-seen.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'

/** From where nginx asks the gateway; we ask nginx from 127.0.0.1. */
const NGINX = '127.0.0.3'
const SETS = 'proxy_set_header X-Forwarded-For $remote_addr;'

async function startNginx(port: number, to: number, lines: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-doctor-nginx-'))
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`)
  const place = `proxy_pass http://127.0.0.1:${to}; proxy_bind ${NGINX}; ${lines}`
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${user} daemon off; pid ${folder}/pid; error_log ${folder}/log; worker_processes 1; events {}
http { ${kept.join(' ')} access_log off; server { listen 127.0.0.1:${port}; location / { ${place} } } }\n`,
  )
  const nginx = spawn('/usr/sbin/nginx', ['-e', `${folder}/log`, '-c', `${folder}/nginx.conf`], { stdio: 'ignore' })
  onTestFinished(async () => {
    nginx.kill()
    await once(nginx, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  await expect
    .poll(() =>
      fetch(`http://127.0.0.1:${port}`).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
}

async function behind(proxies: readonly string[], lines: string): Promise<Gateway> {
  const [front, back] = [await freePort(), await freePort()]
  const settings = { issuer: `http://localhost:${front}`, listen: `127.0.0.1:${back}`, proxies }
  const gateway = await startGateway({ settings })
  onTestFinished(() => gateway.close())
  await startNginx(front, back, lines)
  return gateway
}

const look = (gateway: Gateway) => {
  const { settings, folder } = loadSettings(join(gateway.folder, 'portico.yaml'), {})
  return lookThrough(gateway.server.house as never, { settings: settings!, folder, clock: systemClock })
}

test('one that is named and says who asks is well', async () => {
  const found = await look(await behind([NGINX], `${SETS} proxy_set_header X-Forwarded-Proto $scheme;`))
  expect(found).toEqual([
    { check: 'proxies', state: 'ok', say: `${NGINX} stands in front, and is believed: we come from 127.0.0.1` },
  ])
})

test('one that is not named in the settings is named', async () => {
  expect(await look(await behind([], SETS))).toMatchObject([
    { state: 'failed', say: expect.stringContaining('not in `proxies`'), fix: expect.stringContaining(NGINX) },
  ])
})

test('one that says nothing, nothing that can be read, or whatever clients say', async () => {
  expect(await look(await behind([NGINX], 'proxy_set_header X-Forwarded-For "";'))).toMatchObject([
    { state: 'warning', say: expect.stringContaining('does not say who asks') },
  ])
  expect(await look(await behind([NGINX], 'proxy_set_header X-Forwarded-For someone;'))).toMatchObject([
    { state: 'failed', say: expect.stringContaining('cannot be read') },
  ])
  expect(await look(await behind([NGINX], ''))).toMatchObject([
    { state: 'warning', say: expect.stringContaining('does not say who asks') },
    { state: 'failed', say: expect.stringContaining('passes on what clients write') },
  ])
})

test('networks so wide that others are believed as well, and a scheme that is not the one that was asked over', async () => {
  const adds = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;'
  expect(await look(await behind([NGINX], adds))).toMatchObject([{ state: 'ok' }])
  expect(await look(await behind(['127.0.0.0/8'], adds))).toMatchObject([
    { state: 'warning', say: expect.stringContaining('127.0.0.1 is in `proxies` as well') },
  ])
  expect(await look(await behind([NGINX], `${SETS} proxy_set_header X-Forwarded-Proto https;`))).toMatchObject([
    { state: 'warning', say: expect.stringContaining('X-Forwarded-Proto says https') },
  ])
})

test('a public address at which others answer, and nothing in between', async () => {
  const [one, other] = [await startGateway(), await startGateway()]
  onTestFinished(async () => void (await Promise.all([one.close(), other.close()])))
  expect(await look(one)).toMatchObject([{ state: 'ok', say: 'none seen; we come from 127.0.0.1' }])
  const { settings, folder } = loadSettings(join(one.folder, 'portico.yaml'), {})
  const machine = { settings: { ...settings!, issuer: other.issuer }, folder, clock: systemClock }
  expect(await lookThrough(one.server.house as never, machine)).toMatchObject([
    { state: 'warning', say: expect.stringContaining('not looked at') },
  ])
})

test('ATTACK: strangers are shown nothing, and what the doctor was shown is shown once', async () => {
  const gateway = await startGateway()
  onTestFinished(() => gateway.close())
  const ask = async (path: string, method = 'GET') => {
    const headers = { 'x-forwarded-for': '192.0.2.5', accept: 'application/json' }
    const answer = await fetch(`${gateway.issuer}${path}`, { method, headers })
    return { status: answer.status, body: await answer.text() }
  }
  const nowhere = await ask('/nowhere')
  const plain = ({ status, body }: typeof nowhere) => [status, body.replace(/"ref":"[^"]*"/, '')]
  for (const path of ['/doctor/', '/doctor/a', `/doctor/${'a'.repeat(43)}`, `/doctor/${'%61'.repeat(15)}`])
    expect(plain(await ask(path))).toEqual(plain(nowhere))
  const ticket = await writeTicket(gateway.server.house.storage)
  expect((await ask(ticket, 'POST')).status).toBe(404)
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(ticket)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 404)).toHaveLength(9)
  expect(JSON.parse(answers.find(({ status }) => status === 200)!.body)).toMatchObject({
    ...{ peer: '127.0.0.1', address: '127.0.0.1' },
    told: { 'x-forwarded-for': '192.0.2.5' },
  })
})
