/** What stands in the configuration of proxies: a door of its own, `#forward-auth/proxy-files`, for commands only. */
export { type ProxyFile, type ProxySnippet, snippetValues } from './snippet.ts'
export { SNIPPETS } from './snippets/list.ts'
