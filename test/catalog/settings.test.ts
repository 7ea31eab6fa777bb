/** The app's side of every template that is shipped: filled, and what its format says that it is. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type App, openTemplates, renderSettings, type Template } from '#catalog'
import { toApp } from '../../src/catalog/app.ts'
import { resolve } from '../../src/catalog/manifest.ts'
import { protocolsIn } from '../../src/catalog/placeholders.ts'
import { exampleInputs } from '../../src/catalog/template.ts'
import { endpointsOf } from '../../src/cli/verbs/app-lines.ts'
import { makeKeys } from '../support/saml-provider.ts'
import { SHIPPED } from './house.ts'

const PROTOCOLS = ['oidc', 'saml', 'forward_auth'] as const
type Protocol = (typeof PROTOCOLS)[number]

function appOf(template: Template, protocol: Protocol): App {
  const inputs = exampleInputs(template)
  const audience = template.oidc?.grant_types?.includes('client_credentials') ? [] : ['staff']
  const { definition } = resolve({ id: 'the-app', inputs, audience, [protocol]: {} }, template)
  return toApp(definition!, { createdAt: 0, changedAt: 0 })
}

const READERS: Readonly<Record<string, (text: string) => void>> = {
  json: (text) => JSON.parse(text),
  yaml: (text) => parse(text),
  env: (text) => {
    for (const line of text.split('\n').filter((one) => one !== '')) expect(line).toMatch(/^(?:#|[A-Za-z_][\w.]*=)/)
  },
  steps: (text) => {
    expect(text).toMatch(/^1\. \S/)
    // a step names what is entered; what a certificate or a list adds is indented
    for (const line of text.split('\n')) expect(line).toMatch(/^(?:\d+\. \S| {4}\S)/)
  },
}

test('every entry is filled for an app of its protocol, and is what its format says', async () => {
  const { certificate } = await makeKeys()
  const endpoints = { ...endpointsOf('https://sso.kestrel.example'), saml_certificate: certificate }
  const slugs = readdirSync(SHIPPED).map((name) => name.replace(/\.yaml$/, ''))
  for (const slug of slugs) {
    const template = await openTemplates(SHIPPED).show(slug)
    for (const protocol of PROTOCOLS.filter((key) => template[key])) {
      const wanted = template.settings.filter(({ text }) => protocolsIn(text).every((one) => one === protocol))
      if (wanted.length === 0) continue
      const snippets = renderSettings(appOf(template, protocol), template, endpoints, 's3cr3t')
      expect(
        snippets.map(({ format }) => format),
        slug,
      ).toEqual(wanted.map(({ format }) => format))
      for (const { format, text } of snippets) {
        // doubled braces and capitals are the app's own
        expect(text.match(/(?<!\{)\{[a-z]+(?:_[a-z]+)+\}(?!\})/g), `${slug} ${text}`).toBeNull()
        expect(() => READERS[format]?.(text), `${slug} ${text}`).not.toThrow()
      }
    }
  }
})
