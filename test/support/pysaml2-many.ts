/** Many SAML apps on pysaml2 that are not ours (`pysaml2-many.py`), in one process. Nobody listens: a test carries what they say. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ended } from './processes.ts'
import type { SamlPattern } from './templates.ts'

/** One for each address that an app takes answers at. */
export interface Begun {
  readonly slug: string
  readonly acs: string
  readonly request: string
  readonly location: string
}

export interface Taken {
  readonly name: { readonly value: string; readonly format: string; readonly for: string | null }
  readonly attributes: readonly {
    readonly name: string
    readonly format: string
    readonly values: readonly string[]
  }[]
  /** All values that pysaml2 hands to the app. */
  readonly handed: readonly string[]
}

export interface ManySamlApps {
  readonly begun: readonly Begun[]
  /** What the app reads in the answer. Throws why it does not take it. */
  take(begun: Begun, response: string): Promise<Taken>
  close(): Promise<void>
}

export async function startManySamlApps(patterns: readonly SamlPattern[], idpMetadata: string): Promise<ManySamlApps> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-pysaml2-'))
  const file = join(folder, 'idp.xml')
  writeFileSync(file, idpMetadata)
  // Debian's own Python has the module
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'pysaml2-many.py'), file])
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  // what is written to a process that has ended is told by the line that does not come
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const told = async (what: unknown): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(what)}\n`)
    const { done, value } = await lines.next()
    if (done) throw new Error(`pysaml2 has ended: ${err}`)
    return JSON.parse(value)
  }
  const close = async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    return {
      begun: (await told(patterns)) as Begun[],
      async take({ slug, request }, response) {
        const said = (await told({ slug, request, SAMLResponse: response })) as Taken & { error?: string }
        if (said.error !== undefined) throw new Error(said.error)
        return said
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
