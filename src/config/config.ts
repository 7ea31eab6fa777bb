/**
 * Config: settings and every other YAML file that people write.
 *
 * - `documents.ts` reads a YAML text against a zod schema and reports all problems at once with their positions
 * - `yaml-text.ts` reads it without one; `document-nodes.ts` what their syntax allows and no file of ours needs
 * - `source-files.ts` a folder of files that people keep in git
 * - `plan.ts`      what applying them would change
 * - `schema.ts`    the schema of `portico.yaml`; the JSON Schema for editors comes from it
 * - `ldap.ts`      its part for LDAP directories, with the templates
 * - `settings.ts`  file, then environment; where each value came from
 * - `environment.ts` `PORTICO_…` and `PORTICO_…_FILE`
 * - `single.ts`    one setting for a command that answers at once: a door of its own, `#config/single`, without schemas
 *
 * `process.env` is read in this room only. To add a setting: one line in `schema.ts`, documented there.
 */

export type { Degraded } from './degraded.ts'
export { formatProblem, readYaml, readYamlEach, type YamlDocument } from './documents.ts'
export { type Action, type FieldChange, type PlannedChange, planChange, planChanges } from './plan.ts'
export type { Directory, Settings } from './schema.ts'
export { settingsJsonSchema } from './schema.ts'
export { type LoadedSettings, loadSettings, showSettings } from './settings.ts'
export { readSourceFiles, type SourceFile, type SourceFiles } from './source-files.ts'
export type { Problem } from './yaml-text.ts'
