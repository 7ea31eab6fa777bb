/** What both servers have in common: the apps, the people and what they know. */
import type { Target } from './load/flows.ts'

export const PEOPLE = 16
export const PASSWORD = 'correct horse battery'
/** Nothing listens there: the load generator reads the code from the redirect. */
export const REDIRECT_URI = 'http://127.0.0.1:9/cb'

/** Of the app behind a proxy; nobody looks it up. */
export const PROXIED_HOST = 'tills.example.com'

/** `secret` answers what the server gave the client. */
export function targetOf(name: string, port: number, secret: (id: string) => string): Target {
  const client = (id: string) => ({ id, secret: secret(id) })
  return {
    name,
    issuer: `http://127.0.0.1:${port}`,
    redirectUri: REDIRECT_URI,
    password: PASSWORD,
    machine: client('machine'),
    web: client('web'),
    webRefresh: client('web-rt'),
  }
}

export const bareSecret = (id: string): string => `${id}-secret-0123456789`
