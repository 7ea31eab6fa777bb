/** The proxies that configurations are written for. */
import type { ProxySnippet } from '../snippet.ts'
import { caddy } from './caddy.ts'
import { envoy } from './envoy.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { traefik } from './traefik.ts'

export const SNIPPETS: readonly ProxySnippet[] = Object.freeze([nginx, traefik, caddy, envoy, haproxy])
