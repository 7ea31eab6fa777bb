/** Every short way, by the grant type that asks for it. */
import { code } from './code.ts'
import { machine } from './machine.ts'
import { refresh } from './refresh.ts'
import type { Way } from './way.ts'

export const WAYS: Readonly<Record<string, Way>> = Object.freeze({
  authorization_code: code,
  client_credentials: machine,
  refresh_token: refresh,
})
