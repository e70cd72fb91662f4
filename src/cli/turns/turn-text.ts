/** One turn, for people. */

import type { TurnRecord, TurnResult, TurnStep, TurnUsage } from '../../queue/types.ts'
import { columns, durationText, plainText } from './columns.ts'

/** All that the journal has of a turn: what it is, when, its steps, what it cost, how it ended. */
export function turnText(record: TurnRecord): string {
  const { result } = record
  const steps = columns((result?.steps ?? []).flatMap(stepRows))
  return [
    ...columns(factRows(record)),
    ...(steps.length > 0 ? ['', ...steps] : []),
    ...(result ? endingLines(result) : []),
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
