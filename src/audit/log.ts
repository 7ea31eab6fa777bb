/** The operator's log: one JSON object on each line, cleaned by `redaction.ts`. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { Log, LogFields } from '#core/log'
import { cleanError, cleanFields } from './redaction.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; without it standard output. Commands whose output is read by programs give standard error. */
  readonly stream?: DestinationStream
}

/** Keys of every line; a field of the same name gets an underscore behind it. */
const OWN = new Set(['level', 'time', 'event', 'error'])

/**
 * Lines have `level`, `time` (ISO 8601, UTC), `event` (kebab-case), the fields, and `error` where something was thrown:
 * name, code and stack frames, the detail of a refusal, never the message of a foreign error.
 */
export function createLog({ level, stream }: LogOptions): Log {
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // written at once: a line about why the process ends must not stay in a buffer
    stream ?? destination({ dest: 1, sync: true }),
  )
  const line = (event: string, fields: LogFields = {}, cause?: unknown): Record<string, unknown> => {
    const written: Record<string, unknown> = { event }
    for (const [name, value] of Object.entries(cleanFields(fields))) written[OWN.has(name) ? `${name}_` : name] = value
    if (cause !== undefined) written['error'] = cleanError(cause)
    return written
  }
  // a level that is off must cost nothing
  const on = (wanted: 'info' | 'warn' | 'error') => logger.isLevelEnabled(wanted)
  return Object.freeze({
    info(event: string, fields?: LogFields) {
      if (on('info')) logger.info(line(event, fields))
    },
    warn(event: string, fields?: LogFields, cause?: unknown) {
      if (on('warn')) logger.warn(line(event, fields, cause))
    },
    error(event: string, fields?: LogFields, cause?: unknown) {
      if (on('error')) logger.error(line(event, fields, cause))
    },
  })
}
