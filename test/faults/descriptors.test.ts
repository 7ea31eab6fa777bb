/** A process has no file descriptor left: whoever is connected is served, whoever comes is not, and nobody has to lend a hand afterwards. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ask, type Load, startLoad } from '../support/load.ts'
import { until } from '../support/redis.ts'
import { makePlace, type Place, type Serving, serve } from '../support/serve.ts'
import { APPS } from '../support/visitors.ts'

const TIMES = 5

let place: Place
let serving: Serving
let load: Load
let headers: Record<string, string>

beforeAll(async () => {
  place = await makePlace({ apps: APPS })
  const authorization = `Basic ${btoa(`robot:${place.secrets.get('robot')}`)}`
  headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  serving = await serve(place.config)
})
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

/** It may open no file whose number is higher than `spare` above those that it has. */
function leave(spare: number): void {
  const numbers = readdirSync(`/proc/${serving.process.pid}/fd`).map(Number)
  execFileSync('prlimit', ['--pid', String(serving.process.pid), `--nofile=${Math.max(...numbers) + 1 + spare}:`])
}

/** Connections that say nothing, one after the other, until the process cuts one off. */
async function takeAll(): Promise<Socket[]> {
  const taken: Socket[] = []
  let cut = false
  while (!cut) {
    const socket = connect(place.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => {
      cut = true
    })
    taken.push(socket)
    await once(socket, 'connect').catch(() => {})
    // an answer to somebody else comes after the process has looked at this one
    await load.answered(5)
  }
  return taken
}

/** On a connection of its own. */
const newcomer = async () => {
  const agent = new Agent({ keepAlive: false })
  try {
    return (await ask(place.port, { path: '/.well-known/openid-configuration', agent })).status
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  } finally {
    agent.destroy()
  }
}

test(`${TIMES} times without a descriptor, under load: newcomers are cut off, everybody else goes on, and it is as before afterwards`, async () => {
  load = startLoad([{ port: place.port }], headers['authorization']!)
  onTestFinished(() => load.stop())
  await load.answered(100)
  expect(await newcomer()).toBe(200)
  leave(8)
  for (let time = 0; time < TIMES; time++) {
    const taken = await takeAll()
    expect(await newcomer()).toMatch(/^ECONNRESET|^EPIPE/)
    await load.answered(100)
    for (const socket of taken) socket.destroy()
    await until(newcomer, (answer) => answer === 200)
    await load.answered(100)
  }
  await load.stop()
  expect(load.failed).toEqual([])
  for (const token of load.tokens) {
    const { body } = await ask(place.port, { path: '/oauth2/introspection', body: `token=${token}`, headers })
    expect(body).toContain('"active":true')
  }
})
