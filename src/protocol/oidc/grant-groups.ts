/** Where grants and what hangs on them are found in short-lived state: by grant, and by person. */

/** Everything issued under a grant. */
export const grantGroup = (grantId: string): string => `grant:${grantId}`
/** A person's grants. */
export const grantsOf = (personId: string): string => `grants-of:${personId}`
export const grantKey = (grantId: string): string => objectKey('Grant', grantId)
/** Questions of apps to whomever they name (`ciba/asked.ts`). */
export const addresseeGroup = (addressee: string): string => `asked:${addressee}`
/** What the engine remembers beside a session of ours. */
export const engineSessionKey = (sessionId: string): string => `engine-session:${sessionId}`
/** One object of the engine's: a code, a token, a grant … */
export const objectKey = (model: string, id: string): string => `oidc:${model}:${id}`
