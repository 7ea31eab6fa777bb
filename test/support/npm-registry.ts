/** A registry of this machine with packages that are installed here, so that `npm install` does what it does without a network. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const INSTALLED = join(import.meta.dirname, '../../node_modules')

export interface Registry {
  readonly url: string
  close(): Promise<void>
}

export async function startRegistry(names: readonly string[]): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-registry-'))
  const packages = new Map<string, { readonly manifest: { readonly version: string }; readonly tarball: Buffer }>()
  for (const name of names) {
    const from = join(INSTALLED, name)
    const file = join(folder, `${name}.tgz`)
    await run('tar', ['-czf', file, '-C', from, '--transform', 's,^\\.,package,', '.'])
    const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
    packages.set(name, { manifest, tarball: readFileSync(file) })
  }
  const server = createServer(({ url = '' }, response) => {
    const [, name = '', tarball] = url.split('/')
    const found = packages.get(name)
    if (!found) return void response.writeHead(404).end('{}')
    if (tarball) return void response.end(found.tarball)
    const { version } = found.manifest
    const integrity = `sha512-${createHash('sha512').update(found.tarball).digest('base64')}`
    const dist = { tarball: `${origin()}/${name}/tarball`, integrity }
    const versions = { [version]: { ...found.manifest, dist } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }))
  })
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: origin(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          rmSync(folder, { recursive: true, force: true })
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}
