// @ts-check
/** The entrance of one of several processes, started by `supervisor.ts`. Like `portico.js`: nothing is imported before `keepCompiled`. */
import { keepCompiled } from './compiled.js'

keepCompiled()
const { work } = await import('./worker.ts')
await work()
