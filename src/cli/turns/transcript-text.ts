/** A transcript as Markdown. What models, tools and people said is quoted, so that it cannot pass for our own words. */

import type { StepAttempt, StepDecision, TurnEvent } from '../../queue/types.ts'
import { durationText, plainText } from './columns.ts'
import type { TranscriptEntry, TurnTranscript } from './transcript.ts'

/** The transcript of a turn in Markdown. */
export function transcriptText({ turn, entries }: TurnTranscript): string {
  const { id, agent, options, sessionId, state, acceptedAt, endedAt, input } = turn
  const model = options.model === undefined ? '' : `, model ${plainText(options.model)}`
  const ended = endedAt === undefined ? '' : `, ended after ${durationText(endedAt - acceptedAt)}`
  return [
    `# Turn ${id}`,
    '',
    `Agent ${plainText(agent)}${model}, session ${sessionId}. Accepted ${new Date(acceptedAt).toISOString()}${ended}: ${state}.`,
    '',
    '**Asked:**',
    '',
    quote(input),
    '',
    ...entries.flatMap(entryLines),
  ].join('\n')
}

function entryLines(entry: TranscriptEntry): readonly string[] {
  switch (entry.type) {
    case 'text':
      return ['', '**Said:**', '', quote(entry.text), '']
    case 'reasoning':
      return ['', '**Thought:**', '', quote(entry.text), '']
    case 'attempt':
      return [`- attempt: ${attemptText(entry.attempt)}`]
    case 'decision':
      return [`- decision: ${decisionText(entry.decision)}`]
    case 'circuit': {
      const { at, route, from, to, reason, audit } = entry
      const by = audit === undefined ? '' : `, by ${plainText(audit.by)}`
      return [`- ${clock(at)} circuit: ${route} ${from} → ${to} (${words(reason)}${by})`]
    }
    case 'event':
      return eventLines(entry.event, clock(entry.at))
  }
}

function attemptText(attempt: StepAttempt): string {
  const { route, outcome, code, durationMs, streamed, policy = [], notSent = [], recordId } = attempt
  return [
    `${route} ${code ?? outcome} after ${durationText(durationMs)}`,
    ...(streamed === undefined ? [] : [streamed ? 'streamed' : 'not streamed']),
    ...(policy.length === 0 ? [] : [`policy ${policy.map(words).join(', ')}`]),
    ...(notSent.length === 0 ? [] : [`without ${notSent.join(', ')}`]),
    ...(recordId === undefined ? [] : [`record ${recordId}`]),
  ].join('; ')
}

function decisionText({ type, from, to, reason, policy }: StepDecision): string {
  const where = from === to ? from : `${from} → ${to}`
  const how = policy === undefined ? '' : `; policy ${words(policy)}`
  return `${words(type)} ${where} (${words(reason)})${how}`
}

type Told = Exclude<TurnEvent, { type: 'text.delta' | 'reasoning.delta' }>

function eventLines(event: Told, at: string): readonly string[] {
  switch (event.type) {
    case 'turn.queued':
      return [`- ${at} queued, ${event.position} ahead`]
    case 'turn.started':
      return [`- ${at} started by ${event.worker}, epoch ${event.epoch}`]
    case 'step.started':
      return ['', `## ${event.stepId}: ${event.kind} ${plainText(event.name)}`, '', `- ${at} started`]
    case 'step.completed':
      return [`- ${at} ${event.stepId} completed`]
    case 'step.restarted':
      return [`- ${at} ${event.stepId} begun anew (${words(event.reason)})`]
    case 'route.changed':
      return [`- ${at} fallback: ${event.from} → ${event.to} (${words(event.reason)})`]
    case 'turn.waiting':
      return [`- ${at} waits until ${clock(event.until)} (${words(event.reason)})`]
    case 'tool.call':
      return [`- ${at} call ${event.callId} of ${plainText(event.name)}:`, '', quoteJson(event.input), '']
    case 'tool.result':
      return [
        `- ${at} call ${event.callId} ${event.error === undefined ? 'gave' : 'failed'}:`,
        '',
        event.error === undefined ? quoteJson(event.output) : quote(event.error),
        '',
      ]
    case 'approval.requested':
      return [`- ${at} approval of call ${event.callId} (${plainText(event.name)}) asked for`]
    case 'approval.decided':
      return [`- ${at} call ${event.callId}: ${event.decision} by ${plainText(event.by)}`]
    case 'turn.needs_review':
      return [`- ${at} call ${event.callId} needs a review (${words(event.reason)})`]
    case 'turn.completed':
      return ['', `- ${at} completed`]
    case 'turn.failed':
      return ['', `- ${at} failed: ${event.error.code}: ${plainText(event.error.message)}`]
    case 'turn.cancelled':
      return ['', `- ${at} cancelled: ${plainText(event.reason)}`]
  }
}

function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 23)
}

function words(text: string): string {
  return plainText(text).replaceAll('_', ' ')
}

function quote(text: string): string {
  return plainText(text)
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n')
}

function quoteJson(value: unknown): string {
  return quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
}
