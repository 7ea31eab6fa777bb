/** What stands in the configuration of gateways: a door of its own, `#api-access/gateway-files`, for commands only. */
export { type GatewayFile, type GatewaySnippet, snippetValues } from './snippet.ts'
export { SNIPPETS } from './snippets/list.ts'
