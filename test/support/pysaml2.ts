/** A SAML app on pysaml2 that is not ours (`pysaml2-app.py`), in a process of its own, on a free port. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPython } from './python-app.ts'
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
  const removed = () => rmSync(folder, { recursive: true, force: true })
  const stop = await startPython('pysaml2-app.py', [String(options.port), folder]).catch((error: unknown) => {
    removed()
    throw error
  })
  const origin = `http://localhost:${options.port}`
  return {
    origin,
    metadataUrl: `${origin}/metadata`,
    async close() {
      await stop()
      removed()
    },
  }
}
