/** The rules file of a merge: which two directories, and what makes two people one. */
import { z } from 'zod'
import { type Problem, readYaml, type YamlDocument } from '#config'

const name = z.string().min(1).max(128)
const pattern = name.refine((text) => text.split('*').length === 2, 'expected one `*` for what both names share')

const way = z
  .strictObject({
    attribute: name.optional().describe('Both have a value of this attribute in common'),
    mail: z.enum(['verified', 'same']).optional().describe('Both have the same address, verified or not'),
    username: z
      .union([z.literal('same'), z.strictObject({ from: pattern, into: pattern })], 'expected `same`, or two patterns')
      .optional(),
  })
  .refine(
    (given) => Object.values(given).filter(Boolean).length === 1,
    'expected one of `attribute`, `mail`, `username`',
  )

const schema = z
  .strictObject({
    from: name.describe('The directory whose people become others'),
    into: name.describe('The directory whose people they become, and whose ids stay'),
    home: z.enum(['from', 'into']).default('into').describe('Where one of both belongs to afterwards'),
    match: z.array(way).default([]).describe('The first way that finds anybody decides'),
    pairs: z.string().min(1).optional().describe('A CSV file with the columns `from` and `into`: these win'),
    except: z.array(name).default([]).describe('User names, of either directory, that stay as they are'),
    different_mail: z
      .enum(['conflict', 'home'])
      .default('conflict')
      .describe('Two verified addresses that differ stop a match, or the one of the home stays'),
  })
  .refine(({ match, pairs }) => match.length > 0 || pairs !== undefined, {
    path: ['match'],
    message: 'expected at least one way, or a file of `pairs`',
  })

export type MergeRules = z.infer<typeof schema>
export type MergeWay = MergeRules['match'][number]

export type MergeRulesFile = YamlDocument<MergeRules>

/** Never throws: what is wrong is in `problems`. `directories`: ids of the settings. */
export function readMergeRules(file: string, text: string, directories: readonly string[]): MergeRulesFile {
  const document = readYaml(file, text, schema)
  const { value } = document
  if (!value) return document
  const problems: Problem[] = []
  for (const side of ['from', 'into'] as const)
    if (!directories.includes(value[side]))
      problems.push(
        document.problem(
          [side],
          'directory-unknown',
          `\`${side}\` names no directory of the settings: there are ${directories.map((id) => `\`${id}\``).join(', ')}`,
        ),
      )
  if (value.from === value.into)
    problems.push(document.problem(['into'], 'invalid', '`into` is the directory of `from`; expected another one'))
  if (problems.length === 0) return document
  const { value: _value, ...rest } = document
  return { ...rest, problems }
}
