/** A catalog template: the schema of its file. docs/apps.md has an example. */

import { z } from 'zod'
import { INPUT_KIND_NAMES } from './inputs.ts'
import { forwardAuthPart } from './protocols/forward-auth.ts'
import { oidcTemplate } from './protocols/oidc-definition.ts'
import { samlTemplate } from './protocols/saml.ts'
import { groupName, line, list, slug } from './words.ts'

// biome-ignore format: a list of words
export const CATEGORIES = [
  'ai', 'analytics', 'collaboration', 'contact-center', 'crm', 'database', 'dev', 'device-management', 'facilities',
  'finance', 'generic', 'helpdesk', 'hr', 'infra', 'knowledge', 'learning', 'legal', 'marketing', 'media', 'monitoring',
  'networking', 'personal', 'project', 'retail-pos', 'security', 'storage', 'telecom',
] as const

export const SETTINGS_FORMATS = [
  'env',
  'ini',
  'json',
  'php',
  'python',
  'ruby',
  'shell',
  'steps',
  'text',
  'toml',
  'yaml',
] as const

const webAddress = z
  .string()
  .refine((text) => /^https:\/\/[^\s{}]+$/.test(text) && URL.canParse(text), 'expected an `https` address')
const input = z.strictObject({
  label: line,
  example: z.string().max(2000),
  kind: z.enum(INPUT_KIND_NAMES),
  default: z.string().max(2000).optional().describe('Used when nothing is given; then the input is not required'),
  optional: z.boolean().optional().describe('Addresses that hold it are left out when nothing is given'),
})

export const templateSchema = z.strictObject({
  slug,
  name: line,
  vendor: line,
  category: z.enum(CATEGORIES),
  homepage: webAddress.optional(),
  as_of: z
    .string()
    .regex(/^20\d{2}-(?:0[1-9]|1[0-2])$/, 'expected a month like `2018-09`')
    .optional()
    .describe('How old the facts are, where they may have changed since'),
  sources: list(webAddress, 50).refine((sources) => sources.length > 0, 'expected where the facts come from'),
  inputs: z
    .record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected lower-case letters, digits and underscores'), input)
    .default({}),
  launch_url: z.string().optional().describe('What the launcher opens'),
  oidc: oidcTemplate.optional(),
  saml: samlTemplate.optional(),
  forward_auth: forwardAuthPart.optional(),
  scim: z.strictObject({ base_url: z.string().optional(), documented: z.boolean().optional() }).optional(),
  defaults: z
    .strictObject({
      policy: line.optional(),
      audience: list(groupName, 200).optional(),
      tags: list(slug, 30).optional(),
      tier: slug.optional(),
    })
    .default({}),
  settings: z
    .array(z.strictObject({ format: z.enum(SETTINGS_FORMATS), text: z.string().min(1).max(20_000) }))
    .default([]),
  notes: z
    .array(
      z
        .string()
        .min(1)
        .max(500)
        .regex(/^[^\n]+$/, 'expected one line'),
    )
    .default([]),
  tested: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a date like `2026-11-22`')
    .optional()
    .describe('Only where a real copy of the app signed in'),
})

export type Template = z.infer<typeof templateSchema>
export type TemplateInput = z.infer<typeof input>

export const isRequired = (one: TemplateInput): boolean => one.default === undefined && one.optional !== true

/** The inputs as their examples say: what a template is checked with. */
export const exampleInputs = (template: Template): Record<string, string> =>
  Object.fromEntries(Object.entries(template.inputs).map(([name, one]) => [name, one.example]))
