/** Why an address cannot be listened on. */
import type { Settings } from '#config'

const LISTENING: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program, or another Portico, listens on this address',
  EADDRNOTAVAIL: 'this machine does not have this address',
  EACCES: 'only a privileged user may listen on this port',
}

/** One sentence that names the setting; undefined for any other error. */
export function whyNotListening(error: unknown, settings: Settings): string | undefined {
  const { syscall, code = '', port } = error as NodeJS.ErrnoException & { port?: number }
  if (syscall === 'getaddrinfo') return (error as Error).message
  // the address of workers is taken by their supervisor, and they are told of `bind`
  if (syscall !== 'listen' && syscall !== 'bind') return undefined
  const addresses = { listen: settings.listen, 'management.listen': settings.management.listen }
  const found = Object.entries(addresses).find(([, address]) => address.endsWith(`:${port}`))
  const [name, address] = found ?? ['listen', String(port)]
  return `\`${name}: ${address}\`: ${LISTENING[code] ?? 'cannot be listened on'} (${code})`
}
