import type { TurnResult } from 'turnkeeper'
import { CONFIG_FILE } from './config.ts'

export type Summary = {
  readonly turns: { readonly accepted: number; readonly completed: number; readonly failed: number }
  readonly steps: number
  readonly toolCalls: number
  readonly htmlPayloads: number
  readonly stalls: number
  readonly reroutes: number
  readonly breaker: Readonly<Record<string, readonly string[]>>
  readonly redis: string
  readonly wallMs: number
}

type Transition = { readonly route: string; readonly from: string; readonly to: string }

/** The figures of the demo, from what the journal and the breaker's history have kept. */
export function summarize(
  results: readonly TurnResult[],
  history: readonly Transition[],
  { redis, started }: { redis: string; started: number },
): Summary {
  const steps = results.flatMap((result) => result.steps)
  const attempts = steps.flatMap((step) => step.attempts ?? [])
  const breaker: Record<string, string[]> = {}
  for (const { route, from, to } of history) breaker[route] = [...(breaker[route] ?? [from]), to]
  return {
    turns: {
      accepted: results.length,
      completed: results.filter((result) => result.status === 'completed').length,
      failed: results.filter((result) => result.status === 'failed').length,
    },
    steps: steps.length,
    toolCalls: steps.filter((step) => step.kind === 'tool').length,
    htmlPayloads: attempts.filter((attempt) => attempt.code === 'server/html_payload').length,
    stalls: attempts.filter((attempt) => attempt.code === 'network/stall').length,
    reroutes: steps.reduce((sum, step) => sum + changesOfRoute(step.attempts ?? []), 0),
    breaker,
    redis,
    wallMs: Math.round(performance.now() - started),
  }
}

function changesOfRoute(attempts: readonly { readonly route: string }[]): number {
  return attempts.filter((attempt, i) => i > 0 && attempt.route !== attempts[i - 1]?.route).length
}

/** The summary for people, with what to look at next. */
export function summaryLines(
  summary: Summary,
  {
    results,
    addresses,
    keep,
  }: { results: readonly TurnResult[]; addresses: readonly string[]; keep: boolean },
): string[] {
  const { turns, steps, toolCalls, htmlPayloads, stalls, reroutes, breaker, wallMs } = summary
  const sample =
    results.find((result) => result.steps.some((step) => (step.attempts?.length ?? 0) > 1)) ?? results[0]
  const [worker1, worker2, gateway] = addresses
  return [
    '',
    `${turns.completed} of ${turns.accepted} turns completed, ${turns.failed} failed, in ${(wallMs / 1000).toFixed(1)} s`,
    `${steps} steps, of them ${toolCalls} tool calls`,
    `${htmlPayloads} answers were HTML, ${stalls} streams stalled, ${reroutes} calls moved to another route`,
    ...Object.entries(breaker).map(([route, states]) => `breaker of ${route}: ${states.join(' → ')}`),
    '',
    ...(keep
      ? [
          'Everything goes on running; look around, and end it with Ctrl-C:',
          `  metrics    ${worker1}  ${worker2}`,
          `  a turn     curl ${gateway}/v1/turns/${sample?.id}`,
          `  or         npx turnkeeper turns show '${sample?.id}' --config ${CONFIG_FILE}`,
        ]
      : ['Look around while it runs: npm run demo -- --keep']),
  ]
}
