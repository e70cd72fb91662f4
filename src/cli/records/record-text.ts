/** Records of provider attempts, for people. */

import type { Headers, ProviderRecord } from '../../providers/recorder/record.ts'
import { columns, durationText, plainText } from '../turns/columns.ts'

/** One line a record. */
export function recordListText(records: readonly ProviderRecord[]): string {
  return columns(
    records.map(({ id, at, route, code, outcome, response, timings }) => [
      id,
      timeText(at),
      route,
      code ?? outcome,
      response === undefined ? 'no response' : String(response.status),
      durationText(timings.durationMs),
      plainText(response?.title ?? ''),
    ]),
  ).join('\n')
}

/** Everything that Redis has of one record, and where the raw bytes are. */
export function recordText(record: ProviderRecord): string {
  const { response } = record
  const excerpt = response?.excerpt
  return [
    ...columns(factRows(record)),
    '',
    'request headers',
    ...headerLines(record.request.headers),
    ...(response ? ['', 'response headers', ...headerLines(response.headers)] : []),
    ...(excerpt === undefined ? [] : ['', plainText(excerpt)]),
  ].join('\n')
}

function factRows(record: ProviderRecord): string[][] {
  const { id, at, traceId, route, outcome, code, message, phase, request, response, timings, trail, raw } =
    record
  const { attempt, after, alias, streamed, streamReason, probe } = trail
  const why = after ? `, a ${after.type} after ${after.reason} on ${after.from}` : ''
  const said = { ...response?.requestIds, ...response?.edge }
  return [
    ['record', id],
    ['at', timeText(at)],
    ['route', route],
    ...(alias === undefined ? [] : [['alias', alias]]),
    ['attempt', probe ? 'a probe' : `${attempt}${why}`],
    ['outcome', code === undefined ? outcome : `${code}: ${message ?? ''}`],
    ['phase', phase.replaceAll('_', ' ')],
    ...(traceId === undefined ? [] : [['trace', traceId]]),
    ['request', `${request.method} ${request.url}, ${request.sizeBytes} bytes`],
    ['stream', streamed ? 'asked for' : `not asked for${streamReason ? `: ${streamReason}` : ''}`],
    ...(response
      ? [['response', `${response.status} ${response.kind ?? ''}, ${response.sizeBytes} bytes`]]
      : []),
    ...(response?.title === undefined ? [] : [['title', plainText(response.title)]]),
    ...Object.entries(said).map(([name, value]) => [name, plainText(value)]),
    ['took', `${durationText(timings.durationMs)}, longest silence ${durationText(timings.idleMs)}`],
    ...(raw ? [['raw bytes', `${raw.file} on ${raw.host}, from byte ${raw.offset}`]] : []),
    ...(record.rawWithheld === undefined ? [] : [['raw bytes', `withheld: ${record.rawWithheld}`]]),
  ]
}

function headerLines(headers: Headers): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((item) => plainText(`  ${name}: ${item}`)),
  )
}

function timeText(at: number): string {
  return new Date(at).toISOString()
}
