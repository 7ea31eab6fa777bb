/** Files named on the command line. */
import { readSourceFiles, type SourceFiles } from '#config'
import type { Context } from '../verb.ts'

/** What there is to read; or undefined after saying why there is nothing. */
export async function filesAt(path: string, context: Pick<Context, 'err'>): Promise<SourceFiles | undefined> {
  try {
    return await readSourceFiles(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    context.err(`\`${path}\` cannot be read (${code})`)
    return undefined
  }
}
