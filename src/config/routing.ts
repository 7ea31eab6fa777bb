/** Settings that say who is sent where to sign in. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { id } from './shapes.ts'

const texts = z.array(z.string().min(1)).min(1)

export const network = z.string().refine((text) => {
  const [ip, bits, ...rest] = text.split('/')
  const version = isIP(ip ?? '')
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}, 'expected an address or a network in CIDR notation, like `10.0.0.0/8`')

const rule = z
  .strictObject({
    domains: texts.optional().describe('The user name is an address of one of these domains'),
    usernames: texts.optional().describe('The user name is like one of these; `*` stands for anything'),
    apps: texts.optional().describe('The app that shall open'),
    networks: z.array(network).min(1).optional().describe('The address that somebody comes from'),
    hints: texts.optional().describe('What the app says as `domain_hint`'),
    to: id.describe('The directory, or `here` for the sign-in page'),
  })
  .refine(({ to: _, ...conditions }) => Object.values(conditions).some(Boolean), 'expected at least one condition')

export const routing = z
  .array(rule)
  .default([])
  .describe('The first rule all of whose conditions hold says where somebody is sent to sign in')
