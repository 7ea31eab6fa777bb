/**
 * The catalog: templates of well-known apps (a folder of files) and the apps registered here (durable records).
 * An app is a template plus values; once registered it depends on no file any more. This room knows what an app is and
 * when it is valid. It does not decide who gets in (`policy/`), and speaks no protocol.
 *
 * - `app.ts`        what other rooms see                      - `rules.ts`      when an app is valid
 * - `addresses.ts`  which addresses are safe to compare exactly
 * - `words.ts`      shapes that these files share
 * - `template.ts`   the schema, `template-check.ts` the rest  - `templates.ts`  the folder: show, check; `search.ts` finds in it, also as `#catalog/search`
 * - `inputs.ts`     what a template may ask: one row a kind   - `placeholders.ts`  `{name}` in addresses and settings
 * - `manifest.ts`   template + values → app, and back
 * - `manifest-reading.ts` from texts to definitions         - `names.ts`      who has which name
 * - `apply.ts`      plan, then app after app
 * - `partners/`     contracts of partners, which become apps
 * - `protocols/`    what an app of each protocol has to say, one file each
 * - `registry.ts` `registry-writing.ts` apps in the `tables.ts`, through `cache.ts` - `apps.ts`     register, apply, export, rotate, remove
 * - `snippet.ts`    the app's side, with real values         - `credentials.ts` which of them are taken away
 * - `secrets.ts`    the secrets of apps, for a while two       - `probes.ts`     what probes of them found
 *
 * To add an app to the catalog: one file in `apps-catalog/` (docs/apps.md). To ask for another kind of value: one row
 * in `inputs.ts`.
 */
export type { App } from './app.ts'
export type { Applied, AppliedChange, ApplyOptions, Plan } from './apply.ts'
export type { Apps, Registered } from './apps.ts'
export { readInput } from './inputs.ts'
export type { Manifest } from './manifest.ts'
export { type Catalog, type CatalogOptions, openCatalog } from './open.ts'
export type { AppPartner, Rate } from './partners/partner.ts'
export type { Partners } from './partners/partners.ts'
export type { KnownApis } from './partners/reading.ts'
export type { KeptProbe } from './probes.ts'
export type { AppForwardAuth, AppRule, IdentityField } from './protocols/forward-auth.ts'
export type { AppOidc } from './protocols/oidc-definition.ts'
export type { AppName } from './protocols/protocol.ts'
export type { AppSaml } from './protocols/saml.ts'
export { isRegistrationFault, type RegisteredClient, type RegistrationFault } from './registration/faults.ts'
export type { Registrations } from './registration/registration.ts'
export type { Issue, PolicyNames } from './rules.ts'
export type { Found } from './search.ts'
export { isSecretOf } from './secrets.ts'
export { type Endpoints, renderSettings, type Snippet } from './snippet.ts'
export { catalogMigrations } from './tables.ts'
export { isRequired, type Template } from './template.ts'
export { openTemplates, type Templates } from './templates.ts'
