/** `--saml-metadata FILE|URL|-` of `apps add`: what an app says about itself, as the fields of its registration. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Manifest } from '#catalog'
import { Refusal } from '#core/refusal'
import { createOutbound } from '#http'
import { LARGEST_METADATA, readAppMetadata } from '#protocol/saml'
import { SamlProblem } from '#saml'
import type { Context } from '../verb.ts'

type SamlFields = NonNullable<Manifest['saml']>

/** The fields, or why there are none. A URL is kept in them, and read again now and then. */
export async function fieldsFrom(source: string, context: Context): Promise<SamlFields | string> {
  const remote = /^https?:\/\//i.test(source)
  try {
    const document = remote ? await fetched(source, context) : await local(source)
    const fields = readAppMetadata(document, context.clock.now())
    return remote ? { ...fields, metadata_url: source } : fields
  } catch (error) {
    if (error instanceof SamlProblem) return `${error.fault}: ${error.message}`
    if (error instanceof Refusal) return `${error.code}: \`${source}\` cannot be read (${error.detail ?? error.say})`
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return `\`${source}\` cannot be read (${code})`
  }
}

const local = (source: string): Promise<string> => (source === '-' ? text(process.stdin) : readFile(source, 'utf8'))

/** The one way outwards: what settings do not allow to be reached is not reached from here either. */
async function fetched(url: string, { settings }: Context): Promise<string> {
  const answer = await createOutbound(settings.outbound.allow)(url, { limit: LARGEST_METADATA })
  if (answer.status !== 200) throw new Refusal('outbound-failed', `status ${answer.status}`)
  return answer.body
}
