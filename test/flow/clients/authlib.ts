/** Authlib, as Debian ships it: one process for each program (`support/authlib-client.py`), told line by line what to do. */
import { startTalk, type Talk } from '../../support/python-app.ts'
import { type Begun, certificateOf, isCertified, type Place, type Program, type Tokens } from './axes.ts'

/** The process is the test's to end. */
export async function startAuthlib(): Promise<Talk> {
  return startTalk('authlib-client.py')
}

export function authlib(talk: Talk, place: Place): Program {
  const { issuer, folder, app, method, binding, secret } = place
  const certificate = isCertified(method, binding) ? certificateOf(place) : null
  const ask = async <T>(act: string, more: object = {}): Promise<T> =>
    (await talk.ask({ act, issuer, folder, app, method, secret: secret ?? null, certificate, ...more })) as T
  return {
    async begin({ pushed = false }): Promise<Begun> {
      const { url, ...kept } = await ask<{ url: string }>('begin', { pushed })
      return { url, finish: (callback) => ask<Tokens>('finish', { ...kept, callback: callback.href }) }
    },
    refresh: (token) => ask('refresh', { token }),
    credentials: () => ask('credentials'),
    async device() {
      const { url, ...kept } = await ask<{ url: string }>('device', {})
      return { url, finish: () => ask<Tokens>('connected', kept) }
    },
    exchange: (token) => ask('exchange', { token }),
  }
}
