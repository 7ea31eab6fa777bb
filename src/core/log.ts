/** What every room may say to the operator. Personal data never: ids only (THREATS.md, audit room). */
import { AsyncLocalStorage } from 'node:async_hooks'

/** Values must be ids, codes, counts or durations: never names, mail addresses, telephone numbers or what somebody typed. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields, cause?: unknown): void
  error(event: string, fields?: LogFields, cause?: unknown): void
}

/** Says nothing: for commands and tests whose subject is something else. */
export const silentLog: Log = Object.freeze({ info() {}, warn() {}, error() {} })

const traces = new AsyncLocalStorage<string>()

/** Every line that is said on the way, whoever says it, belongs to this trace. */
export const withTrace = <T>(id: string, work: () => T): T => traces.run(id, work)

export const currentTrace = (): string | undefined => traces.getStore()
