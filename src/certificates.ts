/** Certificates of clients: the files that the settings name, and the listener that asks for them. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Settings } from '#config'
import { createHttpServer, type HttpServer, type HttpServerOptions, type RawHandler } from '#http'
import { authoritiesOf, type CertificateSettings } from '#protocol/oidc'

type Place = { readonly settings: Pick<Settings, 'client_certificates'>; readonly folder: string }

/** Undefined where no certificate can reach the gateway. */
export function readCertificateSettings({ settings, folder }: Place): CertificateSettings | undefined {
  const given = settings.client_certificates
  if (!given) return undefined
  const authorities =
    given.ca_file === undefined ? [] : authoritiesOf(readFileSync(resolve(folder, given.ca_file), 'utf8'))
  return { authorities, url: given.url }
}

/** Undefined where the settings name none. */
export async function openCertificateListener(
  { settings, folder }: Place,
  programs: RawHandler,
  shared: Pick<HttpServerOptions, 'issuer' | 'around' | 'renderRefusal' | 'log'>,
): Promise<HttpServer | undefined> {
  const { listen, cert_file, key_file } = settings.client_certificates ?? {}
  if (listen === undefined) return undefined
  const read = (file: string | undefined) => readFileSync(resolve(folder, file!))
  const tls = { cert: read(cert_file), key: read(key_file) }
  return createHttpServer({ ...shared, listen, tls, proxies: [], routes: [], raw: [programs] })
}
