/** The operator's log: one JSON object on each line, cleaned by `redaction.ts`. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { currentTrace, type Log, type LogFields } from '#core/log'
import { cleanError, cleanFields } from './redaction.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; without it standard output. Commands whose output is read by programs give standard error. */
  readonly stream?: DestinationStream
  /** Which of several processes says it: stands in each line. */
  readonly worker?: number
}

/** Keys of every line; a field of the same name gets an underscore behind it. */
const OWN = new Set(['level', 'time', 'event', 'error', 'worker', 'trace_id'])

/**
 * Lines have `level`, `time` (ISO 8601, UTC), `event` (kebab-case), the fields, `trace_id` where the request belongs to a trace, and
 * `error` where something was thrown:
 * name, code and stack frames, the detail of a refusal, never the message of a foreign error.
 */
export function createLog({ level, stream, worker }: LogOptions): Log {
  const logger: Logger = pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // written at once: a line about why the process ends must not stay in a buffer
    stream ?? destination({ dest: 1, sync: true }),
  )
  const line = (event: string, fields: LogFields = {}, cause?: unknown): Record<string, unknown> => {
    const written: Record<string, unknown> = { event }
    for (const [name, value] of Object.entries(cleanFields(fields))) written[OWN.has(name) ? `${name}_` : name] = value
    const trace = currentTrace()
    if (trace !== undefined) written['trace_id'] = trace
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
