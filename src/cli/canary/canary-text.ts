import type { PassedOver } from '../../runtime/canary/choice.ts'
import type { CanaryRun } from '../../runtime/canary/run.ts'
import { columns, durationText } from '../turns/columns.ts'

/** A line a run, under a heading. */
export function canaryTableText(runs: readonly CanaryRun[]): string {
  const rows = runs.map(({ scenario, model, route, result, durationMs, code = '' }) => [
    ...[scenario, model, route ?? '-', result, durationText(durationMs), code],
  ])
  return columns([['scenario', 'alias', 'route', 'result', 'duration', 'code'], ...rows]).join('\n')
}

/** `tool-image on coder passed over: no route of it has vision` */
export function passedOverText({ scenario, model, why }: PassedOver): string {
  return `${scenario} on ${model} passed over: ${why}`
}

/** `3 runs, 1 failed; $0.0004` */
export function canarySumText(runs: readonly CanaryRun[]): string {
  const failed = runs.filter(({ result }) => result === 'failed').length
  const costs = runs.flatMap(({ costUsd }) => (costUsd === null ? [] : [costUsd]))
  const cost = costs.length === 0 ? '' : `; $${costs.reduce((sum, usd) => sum + usd, 0).toFixed(4)}`
  return `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}, ${failed} failed${cost}`
}
