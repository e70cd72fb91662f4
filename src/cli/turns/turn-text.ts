/** One turn, for people. */

import type { AuditEntry } from '../../queue/audit.ts'
import type { PendingCall, TurnDetails } from '../../queue/client/details.ts'
import type { TurnRecord, TurnResult, TurnStep, TurnUsage } from '../../queue/types.ts'
import { columns, durationText, plainText } from './columns.ts'

/** All that the journal has of a turn: what it is, when, its steps, what it cost, how it ended, what it waits for. */
export function turnText(record: TurnDetails): string {
  const { id, result, waitsFor, audit } = record
  const steps = columns((result?.steps ?? []).flatMap(stepRows))
  return [
    ...columns(factRows(record)),
    ...(steps.length > 0 ? ['', ...steps] : []),
    ...(result ? endingLines(result) : []),
    ...waitsFor.flatMap((call) => pendingLines(id, call)),
    ...(audit.length > 0 ? ['', ...columns(audit.map(auditRow))] : []),
  ].join('\n')
}

function factRows(record: TurnRecord): string[][] {
  const { id, state, agent, sessionId, worker, epoch, idempotencyKey, options } = record
  const { acceptedAt, dueAt, startedAt, endedAt, deadlineAt, result } = record
  return [
    ['turn', id],
    ['state', state],
    ['agent', agent],
    ['session', sessionId],
    ...(options.model === undefined ? [] : [['model', options.model]]),
    ...(idempotencyKey === undefined ? [] : [['key', plainText(idempotencyKey)]]),
    ['accepted', timeText(acceptedAt)],
    ...(dueAt > acceptedAt ? [['due', timeText(dueAt)]] : []),
    ...(startedAt === undefined ? [] : [['started', afterText(startedAt, acceptedAt)]]),
    ...(endedAt === undefined ? [] : [['ended', afterText(endedAt, acceptedAt)]]),
    ...(deadlineAt === undefined ? [] : [['deadline', timeText(deadlineAt)]]),
    ...(record.retryOf === undefined ? [] : [['retry of', record.retryOf]]),
    ...(record.retriedAs === undefined ? [] : [['retried as', record.retriedAs]]),
    ['worker', worker ?? 'none yet'],
    ['epoch', String(epoch)],
    ...(result ? [['usage', usageText(result.usage)]] : []),
    ...(result?.costUsd == null ? [] : [['cost', `$${result.costUsd.toFixed(6)}`]]),
  ]
}

function stepRows(step: TurnStep): string[][] {
  const { id, kind, name, durationMs, route, attempts = [], error } = step
  const came = kind === 'model' ? `via ${route ?? 'no route'}` : (error ?? 'ok')
  // one attempt that went well says nothing that the step does not
  const shown = attempts.length === 1 && attempts[0]?.outcome === 'ok' ? [] : attempts
  return [
    [id, kind, name, durationText(durationMs), came],
    ...shown.map(({ route, outcome, code, durationMs }) => [
      '',
      'attempt',
      route,
      durationText(durationMs),
      code ?? outcome,
    ]),
  ]
}

function endingLines({ status, text, error, finishReason }: TurnResult): string[] {
  if (status === 'completed') return ['', plainText(text)]
  const why = error ? `${error.code}: ${plainText(error.message)}` : (finishReason ?? 'no reason is kept')
  const attempts = columns(
    (error?.attempts ?? []).map(({ route, outcome, code, durationMs }) => [
      '  attempt',
      route,
      durationText(durationMs),
      code ?? outcome,
    ]),
  )
  return ['', `${status}: ${why}`, ...attempts, ...(text === '' ? [] : ['', plainText(text)])]
}

/** What is asked, and the commands that answer it. */
function pendingLines(id: string, { kind, callId, name, input, expiresAt }: PendingCall): string[] {
  const asked = input === undefined ? '' : ` ${plainText(JSON.stringify(input))}`
  const until = expiresAt === undefined ? '' : ` (rejected by itself at ${timeText(expiresAt)})`
  const command = (verb: string, more = ''): string => `  turnkeeper turns ${verb} ${id} ${callId}${more}`
  if (kind === 'approval') {
    const heading = `waits for an approval of call ${callId}: ${name}${asked}${until}`
    return ['', heading, command('approve'), command('reject', ' --reason "…"')]
  }
  const heading = `needs a review of call ${callId}: whether ${name}${asked} has taken effect is unknown`
  return ['', heading, command('resolve', " --done --result '…'"), command('resolve', ' --not-done')]
}

function auditRow({ at, by, action, callId = '', reason = '', done, retriedAs }: AuditEntry): string[] {
  const said = done === undefined ? (retriedAs ?? reason) : done ? 'done' : 'not done'
  return [timeText(at), `${action} by ${plainText(by)}`, callId, plainText(said)]
}

function usageText({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens }: TurnUsage): string {
  const count = (tokens: number | null): string => (tokens === null ? 'unknown' : String(tokens))
  return [
    `${count(inputTokens)} tokens in, ${count(outputTokens)} out`,
    ...(cachedInputTokens ? [`${cachedInputTokens} cached`] : []),
    ...(reasoningTokens ? [`${reasoningTokens} reasoning`] : []),
  ].join(', ')
}

function timeText(at: number): string {
  return new Date(at).toISOString()
}

function afterText(at: number, acceptedAt: number): string {
  return `${timeText(at)} (after ${durationText(at - acceptedAt)})`
}
