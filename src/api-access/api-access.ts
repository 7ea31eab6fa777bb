/**
 * API access: API gateways and proxies that ask us about each call.
 *
 *     client → proxy → "may this pass?" → rule of the API → token → its sender → networks, policy, scopes → headers for the API
 *
 * - `open.ts`        puts the door together             - `check.ts` the path of a question
 * - `dialect.ts` `dialects/` how each proxy asks, a file each
 * - `rules.ts`       what a call needs                  - `credentials.ts` the token that it carries
 * - `token.ts`       whether a token holds, now         - `verdicts.ts` the question, put again when anything changed
 * - `sender.ts`      whether it is shown by whom it was given to
 * - `replies.ts`     our answers                        - `resource-metadata.ts` what clients find out by themselves
 * - `revoked-list.ts` for gateways that check tokens by themselves
 * - `snippet.ts` `snippets/` what stands in a gateway's configuration: behind `#api-access/gateway-files`
 * - `evaluation.ts`  the same asked in the words of AuthZEN
 *
 * Nobody's word counts who is not in `proxies`. What no rule names is closed; a token that is revoked is over at the next call.
 */
export { type ApiAccessDoor, openApiAccess } from './open.ts'
