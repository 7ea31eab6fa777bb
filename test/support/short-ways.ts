/** The settings of a gateway in a run without short ways (`vitest.config.ts`): everything must hold then as well. */
import { inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    shortWays: 'off' | undefined
  }
}

// the bench starts such gateways as well, and nothing is provided to it
const OFF = process.env['VITEST'] !== undefined && inject('shortWays') === 'off'

export const SHORT_WAYS: object = OFF ? { short_ways: { sign_on: false, token: false, introspection: false } } : {}
