/** The shapes of small values that templates, manifests and apps share. */
import { z } from 'zod'

const shape = (pattern: RegExp, expected: string) => z.string().regex(pattern, `expected ${expected}`)

export const slug = shape(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens')
/** RFC 6749 §3.3: scope-token. */
export const scope = shape(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'a scope without blanks, quotes and backslashes')
export const line = shape(/^(?!\s)[^\p{Cc}\u2028\u2029]{1,200}(?<!\s)$/u, 'one line of at most 200 characters')
export const groupName = line

const unique = <T extends z.ZodType>(item: T, most: number) =>
  z
    .array(item)
    .max(most, `expected at most ${most}`)
    .refine((list) => new Set(list).size === list.length, 'the same value stands there twice')

export const list = unique

export const addresses = list(z.string().max(4000), 50)
