/**
 * Account: what somebody who is signed in sees of themselves. The launcher `/`, `/account` with everything on it,
 * `/why/:receipt` and `/signout`; and `/device`, where a device of the organisation is set up.
 *
 * Every page passes the gate: session → `access.ask()` → only with the verdict "allow" the page itself, which gets a
 * `Visit`. Anything else becomes an errand of the conversation, which comes back here and is asked again.
 *
 * - `open.ts`      options, and the table of addresses      - `gate.ts`      who passes, and how fresh for a change
 * - `launcher.ts`  the apps this person may open            - `overview.ts`  the account page
 * - `enrolment.ts` adding a passkey, an app, recovery codes - `password.ts`  changing the password
 * - `confirming.ts` what apps ask on this screen
 * - `endings.ts`   removing, ending, forgetting, taking back
 * - `why.ts`       a receipt in words                       - `sign-out.ts`, `device.ts` the pages that ask nobody
 *
 * A new page: a handler that takes a `Visit`, and its row in `open.ts`.
 */
export { type Account, openAccount } from './open.ts'
export type { AccountOptions } from './options.ts'
