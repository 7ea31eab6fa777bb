/** How certificates of clients reach the gateway: by a listener of its own, or in a header that a proxy sets (RFC 9440). */
import { z } from 'zod'
import { address } from './shapes.ts'

export const clientCertificates = z.strictObject({
  header: z
    .string()
    .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected the name of a header in small letters, like `client-cert`')
    .optional()
    .describe('Set by a proxy in `proxies`, which takes away what came from outside: `client-cert`'),
  chain_header: z
    .string()
    .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected the name of a header in small letters, like `client-cert-chain`')
    .optional()
    .describe('The same for the authorities that a client sends along: `client-cert-chain`'),
  listen: address.optional().describe('A TLS listener of our own that asks for certificates; for programs only'),
  cert_file: z
    .string()
    .optional()
    .describe('PEM file with the certificate of that listener, and what stands between it and its root'),
  key_file: z.string().optional().describe('PEM file with its private key'),
  url: z
    .string()
    .refine((text) => {
      const url = URL.parse(text)
      return url?.protocol === 'https:' && url.origin === text
    }, 'expected an `https` origin without path')
    .optional()
    .describe('Public address where certificates are asked for, told as `mtls_endpoint_aliases`'),
  ca_file: z.string().optional().describe('PEM file with the authorities that issue the certificates of clients'),
  intermediates: z
    .number()
    .int()
    .min(0)
    .max(3)
    .default(0)
    .describe('So many authorities may stand between one of `ca_file` and the certificate of a client'),
  crl_file: z
    .string()
    .optional()
    .describe('PEM file with a revocation list of every authority that signs certificates of clients'),
})

type ClientCertificates = z.infer<typeof clientCertificates>

/** What cannot be read off one key alone. */
export function judgeClientCertificates(
  settings: { readonly proxies: readonly string[]; readonly client_certificates?: ClientCertificates | undefined },
  ctx: z.RefinementCtx,
): void {
  const given = settings.client_certificates
  if (!given) return
  const complain = (key: string, message: string) =>
    ctx.addIssue({ code: 'custom', path: ['client_certificates', key], message, params: { code: 'invalid' } })
  if (given.header === undefined && given.listen === undefined)
    complain('header', 'is missing, and so is `listen`: no certificate could reach the gateway')
  if (given.header !== undefined && settings.proxies.length === 0)
    complain('header', 'is believed from a network in `proxies` only, and there is none')
  if (given.chain_header !== undefined && given.header === undefined)
    complain('chain_header', 'has no effect without `header`')
  if (given.chain_header !== undefined && given.intermediates === 0)
    complain('chain_header', 'has no effect while `intermediates` is 0')
  if (given.crl_file !== undefined && given.ca_file === undefined)
    complain('crl_file', 'has no effect without `ca_file`')
  for (const key of ['cert_file', 'key_file', 'url'] as const)
    if (given.listen !== undefined && given[key] === undefined) complain(key, 'is missing, but there is `listen`')
  for (const key of ['cert_file', 'key_file'] as const)
    if (given.listen === undefined && given[key] !== undefined) complain(key, 'has no effect without `listen`')
}
