/** When certificates of an LDAP directory end: those its servers show, and those in `ca_file`. */
import { TLSSocket } from 'node:tls'
import { certificateEnds } from '#keys'
import type { DirectoryEnds, DirectoryExpiry } from '../kind.ts'
import { codeOf, type Server, withConnection } from './ldap-connection.ts'

/** Never throws: a server that cannot be reached may have ended already, and that is said. */
export async function ldapEnds(servers: readonly Server[]): Promise<DirectoryEnds> {
  const problems: string[] = []
  const shown = await Promise.all(
    servers
      .filter(({ tls }) => tls !== 'none')
      .map(async (server): Promise<DirectoryExpiry[]> => {
        try {
          return await withConnection(server, async ({ socket }) => ofServer(server, socket))
        } catch (error) {
          problems.push(`${server.host}:${server.port} cannot be reached: ${codeOf(error)}`)
          return []
        }
      }),
  )
  const authorities = certificateEnds(servers[0]?.ca ?? '')
  return {
    ends: [
      ...shown.flat(),
      ...authorities.map(({ name, until: at }) => ({ what: 'certificate-authority', name, at }) as const),
    ],
    ...(problems.length > 0 && { problem: problems.join('; ') }),
  }
}

function ofServer({ host, port }: Server, socket: unknown): DirectoryExpiry[] {
  const at = socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : Number.NaN
  return Number.isNaN(at) ? [] : [{ what: 'server-certificate', name: `${host}:${port}`, at }]
}
