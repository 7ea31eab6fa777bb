/** A SAML app on pysaml2 that is not ours (`pysaml2-app.py`), in a process of its own, on a free port. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ended } from './processes.ts'
import { makeKeys } from './saml-provider.ts'

export interface Pysaml2 {
  readonly origin: string
  readonly metadataUrl: string
  close(): Promise<void>
}

export async function startPysaml2(options: { readonly port: number; readonly idpMetadata: string }): Promise<Pysaml2> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-pysaml2-'))
  const keys = await makeKeys()
  writeFileSync(join(folder, 'sp.key'), keys.key)
  writeFileSync(join(folder, 'sp.pem'), keys.certificate)
  writeFileSync(join(folder, 'idp.xml'), options.idpMetadata)
  const script = join(import.meta.dirname, 'pysaml2-app.py')
  // Debian's own Python has the module
  const child = spawn('/usr/bin/python3', [script, String(options.port), folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  const close = async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ready = await new Promise<boolean>((resolve) => {
    child.stdout.once('data', () => resolve(true))
    child.once('exit', () => resolve(false))
  })
  if (!ready) {
    await close()
    throw new Error(`pysaml2 did not start: ${said}`)
  }
  const origin = `http://localhost:${options.port}`
  return { origin, metadataUrl: `${origin}/metadata`, close }
}
