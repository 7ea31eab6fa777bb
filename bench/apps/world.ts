/** Folders of manifests: one for each template that asks for nothing it has no example of, again and again under other names. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Manifest, openTemplates } from '#catalog'

const root = join(import.meta.dirname, '../..')

/** Writes them, and answers their folder. Hosts and entity ids are one app's alone, so every app gets its own example. */
export async function writeManifests(folder: string, count: number): Promise<string> {
  const templates = openTemplates(join(root, 'apps-catalog'))
  const manifests: Manifest[] = []
  const usable = []
  for (const { slug } of await templates.search('')) {
    const template = await templates.show(slug)
    // what is read from an app behind a proxy or by SAML has a name that only one may have; their examples hold a host
    if (template.oidc) usable.push(template)
  }
  for (let number = 0; manifests.length < count; number++) {
    const template = usable[number % usable.length]!
    const id = `${template.slug.slice(0, 50)}-${number}`
    const inputs = Object.fromEntries(
      Object.entries(template.inputs).map(([name, input]) => [name, input.default ?? input.example]),
    )
    const audience = template.oidc?.grant_types?.join() === 'client_credentials' ? {} : { audience: ['staff'] }
    manifests.push({
      id,
      template: template.slug,
      name: `${template.name} ${number}`,
      policy: 'default',
      inputs,
      ...audience,
    })
    // every fourth one is written by hand, as a SAML app or one behind a proxy
    if (number % 4 === 3) manifests.push(byHand(number))
  }
  mkdirSync(folder, { recursive: true })
  for (const manifest of manifests.slice(0, count))
    writeFileSync(join(folder, `${manifest.id}.yaml`), stringify(manifest))
  return folder
}

const byHand = (number: number): Manifest => {
  const host = `app-${number}.bench.example`
  const common = { id: `app-${number}`, policy: 'default', audience: ['staff'] }
  return number % 8 === 3
    ? { ...common, saml: { entity_id: `https://${host}/saml`, acs_urls: [`https://${host}/acs`] } }
    : { ...common, forward_auth: { hosts: [host] } }
}
