/** The limits that the alert rules use, so that a line on a panel is where somebody is told. */

import {
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard'

export type Limit = {
  readonly value: number
  readonly color: 'yellow' | 'orange' | 'red'
  /** The alert whose expression holds the same number; none for a limit that only colours. */
  readonly alert?: string
}

const SLO_ERRORS = 0.005
const warning = (value: number, alert: string): Limit => ({ value, color: 'yellow', alert })
const critical = (value: number, alert: string): Limit => ({ value, color: 'red', alert })
const some: Limit = { value: 1, color: 'yellow' }

/** Limits by what they bound. */
export const LIMITS = {
  htmlPerMinute: [warning(2, 'ProviderHtmlPayloads')],
  stalls: [some, critical(5, 'ProviderStreamStallsPersistent')],
  idleSeconds: [{ value: 30, color: 'yellow' }],
  excerptsMissing: [some],
  errorRatio: [warning(0.02, 'ModelErrorRatioHigh'), critical(0.05, 'ModelErrorRatioCritical')],
  attempts: [{ value: 20, color: 'yellow', alert: 'ModelErrorRatioHigh' }],
  firstChunkSeconds: [warning(10, 'FirstChunkLatencyHigh')],
  unhealthySeconds: [{ value: 1, color: 'yellow' }, critical(900, 'RouteCircuitBreakerOpen')],
  queueAgeSeconds: [warning(120, 'QueueOldestJobTooOld')],
  backlog: [warning(100, 'QueueBacklogGrowing')],
  burnRate: [
    { value: 1, color: 'yellow' },
    { value: 6, color: 'orange', alert: 'TurnErrorBudgetBurnMedium' },
    critical(14.4, 'TurnErrorBudgetBurnFast'),
  ],
  turnErrors: [warning(SLO_ERRORS, 'TurnErrorBudgetBurnSlow')],
  canaryFailures: [warning(2, 'CanaryFailing')],
  translationErrors: [warning(5, 'TranslationErrorsSpike')],
  deliveryFailures: [critical(0.01, 'AlertmanagerNotificationsFailing')],
  someBad: [{ value: 1, color: 'red' }],
  some: [some],
  saturation: [
    { value: 0.8, color: 'yellow' },
    { value: 1, color: 'red' },
  ],
} as const satisfies Record<string, readonly Limit[]>

/** Where less is worse: red below the first value, yellow below the second, green from there on. */
export type Floor = { readonly redBelow: number; readonly yellowBelow: number }

export const FLOORS = {
  healthScore: { redBelow: 0.5, yellowBelow: 0.8 },
  workers: { redBelow: 1, yellowBelow: 2 },
  healthyRoutes: { redBelow: 1, yellowBelow: 2 },
  up: { redBelow: 1, yellowBelow: 1 },
} as const satisfies Record<string, Floor>

/** Share of turns that may fail (SLO 99.5 %). */
export const ERROR_BUDGET = SLO_ERRORS

export function limitsToThresholds(limits: readonly Limit[] = []): ThresholdsConfigBuilder {
  const steps = limits.map(({ value, color }): Threshold => ({ value, color }))
  return absolute([{ value: null, color: 'green' }, ...steps])
}

export function floorToThresholds({ redBelow, yellowBelow }: Floor): ThresholdsConfigBuilder {
  const steps: Threshold[] = [{ value: null, color: 'red' }]
  if (yellowBelow > redBelow) steps.push({ value: redBelow, color: 'yellow' })
  return absolute([...steps, { value: yellowBelow, color: 'green' }])
}

function absolute(steps: Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}
