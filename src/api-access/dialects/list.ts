/** The proxies' ways of asking. */
import type { Dialect } from '../dialect.ts'
import { envoy } from './envoy.ts'
import { forward } from './forward.ts'
import { nginx } from './nginx.ts'

export const DIALECTS: readonly Dialect[] = Object.freeze([forward, nginx, envoy])
