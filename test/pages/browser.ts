/** Debian's Chromium with a fresh profile, and a server on this machine that shows it pages. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium } from 'playwright-core'

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

export interface Site {
  /** `http://localhost:…`, where WebAuthn works without a certificate. */
  readonly origin: string
  /** The forms that were sent, in order. */
  readonly posted: { path: string; fields: URLSearchParams }[]
  close(): Promise<void>
}

/** Answers every path with what `find` gives for it. */
export async function openSite(
  find: (path: string) => { headers: Readonly<Record<string, string>>; body: string } | undefined,
): Promise<Site> {
  const posted: Site['posted'] = []
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (request.method === 'POST') {
      let sent = ''
      for await (const chunk of request) sent += chunk
      posted.push({ path: request.url ?? '', fields: new URLSearchParams(sent) })
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>taken</title>')
      return
    }
    const answer = find(decodeURIComponent(pathname))
    if (answer) response.writeHead(200, { ...answer.headers }).end(answer.body)
    else response.writeHead(404).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    posted,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
