/** What every room may say to the operator. Personal data never: ids only (THREATS.md, audit room). */

/** Values must be ids, codes, counts or durations: never names, mail addresses, telephone numbers or what somebody typed. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields, cause?: unknown): void
  error(event: string, fields?: LogFields, cause?: unknown): void
}

/** Says nothing: for commands and tests whose subject is something else. */
export const silentLog: Log = Object.freeze({ info() {}, warn() {}, error() {} })
