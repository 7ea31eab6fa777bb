/** The gateways that configurations are written for. */
import type { GatewaySnippet } from '../snippet.ts'
import { apigee } from './apigee.ts'
import { caddy } from './caddy.ts'
import { envoy } from './envoy.ts'
import { kong } from './kong.ts'
import { nginx } from './nginx.ts'
import { traefik } from './traefik.ts'

export const SNIPPETS: readonly GatewaySnippet[] = Object.freeze([nginx, envoy, kong, apigee, traefik, caddy])
