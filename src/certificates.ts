/**
 * Certificates of clients: the files that the settings name, and the listener that asks for them. The files are looked at every
 * minute and on SIGHUP; what cannot be used is told in the log, and what was read before goes on.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Settings } from '#config'
import type { Log } from '#core/log'
import { createHttpServer, type HttpServer, type HttpServerOptions, type RawHandler } from '#http'
import { authoritiesOf, type CertificateSettings, revocationListsOf } from '#protocol/oidc'

export interface CertificateFiles {
  /** Undefined where no certificate can reach the gateway. */
  readonly settings: CertificateSettings | undefined
  /** Undefined where the settings name no listener. */
  listen(
    programs: RawHandler,
    shared: Pick<HttpServerOptions, 'issuer' | 'shared' | 'around' | 'renderRefusal' | 'log'>,
  ): Promise<HttpServer | undefined>
  /** Connections that are open stay as they are. Throws nothing. */
  reload(): void
}

interface Options {
  readonly settings: Pick<Settings, 'client_certificates'>
  readonly folder: string
  readonly log: Log
}

/** Throws where a file cannot be used: a gateway does not start with half of what it was told. */
export function openCertificateFiles({ settings, folder, log }: Options): CertificateFiles {
  const { ca_file, cert_file, crl_file, key_file, listen, url, intermediates = 0 } = settings.client_certificates ?? {}
  const read = (file: string) => readFileSync(resolve(folder, file))
  const readAuthorities = () => {
    const text = ca_file === undefined ? '' : read(ca_file).toString('utf8')
    const found = authoritiesOf(text)
    // none at all would be a file that somebody is writing just now, or another one
    if (ca_file !== undefined && found.length === 0) throw new Error('no certificate is in `ca_file`')
    return { text, found }
  }
  const readLists = () => {
    const text = crl_file === undefined ? '' : read(crl_file).toString('utf8')
    const found = revocationListsOf(text)
    if (crl_file !== undefined && found.length === 0) throw new Error('no revocation list is in `crl_file`')
    return { text, found }
  }
  const readTls = () => ({ cert: read(cert_file!), key: read(key_file!) })

  let authorities = readAuthorities()
  let lists = readLists()
  let tls = listen === undefined ? undefined : readTls()
  let server: HttpServer | undefined

  const reloads: Readonly<Record<string, () => boolean>> = {
    ca_file() {
      const now = readAuthorities()
      if (now.text === authorities.text) return false
      authorities = now
      return true
    },
    crl_file() {
      const now = readLists()
      if (now.text === lists.text) return false
      lists = now
      return true
    },
    cert_file() {
      if (!tls) return false
      const now = readTls()
      if (now.cert.equals(tls.cert) && now.key.equals(tls.key)) return false
      // throws where the two are not of one pair
      server?.renew(now)
      tls = now
      return true
    },
  }

  return {
    settings: settings.client_certificates && {
      url,
      get authorities() {
        return authorities.found
      },
      intermediates,
      get revocation() {
        return crl_file === undefined ? undefined : lists.found
      },
    },
    async listen(programs, shared) {
      if (listen === undefined) return undefined
      server = await createHttpServer({ ...shared, listen, tls: tls!, proxies: [], routes: [], raw: [programs] })
      return server
    },
    reload() {
      for (const [file, renewed] of Object.entries(reloads)) {
        try {
          if (renewed()) log.info('client-certificates-reloaded', { file })
        } catch (cause) {
          log.error('client-certificates-refused', { file }, cause)
        }
      }
    },
  }
}
