import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, pino } from 'pino'
import type { LogLevel } from '../config/config.ts'
import type { Redactor } from './redaction.ts'
import type { Log, LogFields } from './telemetry.ts'

export type LogOptions = {
  readonly level: LogLevel
  /** Where lines go: JSON, or text for people where it is a terminal. */
  readonly stream: NodeJS.WritableStream
  /** Put on every line. */
  readonly base: Readonly<Record<string, string>>
  readonly redactor: Redactor
}

/** A log that carries the ids of the active span and lets no known secret through. */
export async function createLog({ level, stream, base, redactor }: LogOptions): Promise<Log> {
  const destination = await destinationOf(stream)
  const logger = pino(
    {
      level,
      base,
      timestamp: createStamp(),
      messageKey: 'message',
      formatters: {
        level: (label) => ({ level: label }),
        // pino hands its own merged object over and takes an object back; `fields` keeps an object one
        log: (fields) => redactor.fields(fields) as Record<string, unknown>,
      },
    },
    { write: (line) => void destination.write(redactor.text(line)) },
  )
  const write = (method: LogLevel) => (fields: LogFields, message: string) => logger[method](fields, message)
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/**
 * The time and the ids of the active span, as the piece of JSON that pino takes for the time: ids that go in as fields are
 * merged, copied, redacted and escaped with the others, which was a third of what a line cost.
 */
function createStamp(): () => string {
  const timeText = createClock()
  return () => `,"time":"${timeText()}"${activeSpanIds()}`
}

/** pino's `isoTime`, which formats a whole date for each line; seconds change less often. */
function createClock(): () => string {
  let second = 0
  let upToSecond = ''
  return () => {
    const now = Date.now()
    const current = Math.floor(now / 1000)
    if (current !== second) {
      second = current
      upToSecond = new Date(current * 1000).toISOString().slice(0, -'000Z'.length)
    }
    return `${upToSecond}${String(now - current * 1000).padStart(3, '0')}Z`
  }
}

async function destinationOf(stream: NodeJS.WritableStream): Promise<DestinationStream> {
  if (!('isTTY' in stream && stream.isTTY === true)) return { write: (line) => void stream.write(line) }
  const { prettyFactory } = await import('pino-pretty')
  const pretty = prettyFactory({ colorize: true, messageKey: 'message', ignore: 'service,instance' })
  return { write: (line) => void stream.write(pretty(line)) }
}

/** Under the names of https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/. */
function activeSpanIds(): string {
  const ids = trace.getActiveSpan()?.spanContext()
  if (ids === undefined || !isSpanContextValid(ids)) return '' // what is not hexadecimal would break the line
  const { traceId, spanId, traceFlags } = ids
  const flags = traceFlags.toString(16).padStart(2, '0')
  return `,"trace_id":"${traceId}","span_id":"${spanId}","trace_flags":"${flags}"`
}
