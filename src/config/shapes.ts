/** Shapes that several parts of the settings share. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'

export const secret = z.string().min(1).meta({ secret: true })
export const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens')
export const duration = z
  .string()
  .regex(/^\d{1,9}[smhd]$/, { error: 'expected a duration like `90s`, `15m`, `12h` or `30d`', abort: true })
  .refine((text) => parseDuration(text) !== undefined, 'expected at most 100 years')

const ADDRESS = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/
/** To listen on. */
export const address = z
  .string()
  .refine((text) => ADDRESS.test(text) && Number(text.split(':').pop()) <= 65535, 'expected `host:port`')
