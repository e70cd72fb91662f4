/**
 * The canary as a process: every so often a round of all scenarios, counted and logged.
 *
 *   opening → round ⇄ waiting → closed
 *
 * Y1. Every scenario has both its counters, at 0, before the first round.
 * Y2. A round that takes longer than the interval is followed by the next at once, never by two.
 * Y3. A log line a run; no prompt and no answer in it (N2). What is passed over is logged when that changes.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import { secretValues } from '../../config/describe.ts'
import { packageVersion } from '../../config/version.ts'
import { openReloadableRuntime, type ReloadableRuntime } from '../../providers/reloadable.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import { streamOfConfig } from '../../providers/snapshot/snapshot-stream.ts'
import { closeRedis, connectRedis } from '../../redis/connection.ts'
import { openRedis, type RedisOrigin } from '../../redis/embedded.ts'
import { createTelemetry, type RunningTelemetry } from '../../telemetry/create.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { chooseRuns, type PassedOver } from './choice.ts'
import { type CanaryRun, runScenario } from './run.ts'
import type { Scenario } from './scenarios.ts'

export type CanaryOptions = {
  readonly scenarios: readonly Scenario[]
  /** Aliases or `provider/model`; default: every alias that is known to be able. */
  readonly models?: readonly string[]
  /** From the start of a round to that of the next. */
  readonly everyMs: number
  /** Where `reload` gets the configuration from; default: the one that it has. */
  readonly load?: () => Promise<Config>
  /** Where log lines go; default standard error. */
  readonly logStream?: NodeJS.WritableStream
}

export type Canary = {
  readonly redis: RedisOrigin
  readonly metricsUrl: string | undefined
  /** The routes of the configuration, to see what a name means. */
  readonly capabilities: ProviderRuntime['capabilities']
  /** Rounds until `signal` aborts, which cancels the run under way. */
  run(options: { readonly signal: AbortSignal }): Promise<void>
  /** Loads the configuration anew and takes up what can change; as `reload` of a worker. */
  reload(): Promise<boolean>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens a canary on the Redis of the fleet. It starts none.
 * @throws TurnkeeperError of category `config`, or `queue/redis_unavailable`.
 */
export async function openCanary(config: Config, options: CanaryOptions): Promise<Canary> {
  const { scenarios, load = async () => config, logStream } = options
  await using opening = new AsyncDisposableStack()
  const telemetry = opening.use(
    await createTelemetry({
      config: config.telemetry,
      metrics: config.metrics,
      service: 'canary',
      version: packageVersion(),
      secrets: secretValues(config),
      health: () => ({ status: 200, body: { status: 'ok' } }),
      ...(logStream && { logStream }),
    }),
  )
  const { url, dataDir } = config.redis
  // It keeps nothing there that would be missed.
  const server = opening.use(await openRedis({ url, dataDir, durability: 'none', mayStart: false }))
  const command = opening.adopt(await connectRedis(server.url, { name: 'turnkeeper-canary' }), closeRedis)
  const models = opening.use(await openReloadableRuntime(config, { url: server.url, command, telemetry }))
  opening.use(streamOfConfig(config.telemetry, telemetry))
  zeroCanaryMetrics(telemetry, scenarios) // Y1
  const opened = opening.move()
  return {
    redis: server.origin,
    metricsUrl: telemetry.metricsUrl,
    capabilities: models.capabilities,
    run: ({ signal }) => runRounds(models, telemetry, { ...options, signal }),
    reload: () => models.reload(load),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function runRounds(
  models: ReloadableRuntime,
  telemetry: RunningTelemetry,
  { scenarios, models: only, everyMs, signal }: CanaryOptions & { readonly signal: AbortSignal },
): Promise<void> {
  let lastPassedOver = ''
  while (!signal.aborted) {
    const startedAt = performance.now()
    const { runs, passedOver } = chooseRuns(models, scenarios, only)
    if (JSON.stringify(passedOver) !== lastPassedOver) logPassedOver(telemetry, passedOver) // Y3
    lastPassedOver = JSON.stringify(passedOver)
    for (const chosen of runs) {
      if (signal.aborted) return
      tellRun(telemetry, await runScenario(models, chosen, { signal }))
    }
    const leftMs = Math.max(0, everyMs - (performance.now() - startedAt)) // Y2
    await sleep(leftMs, undefined, { signal }).catch(() => {}) // aborted: the loop ends
  }
}

/** Puts both counters of each scenario at 0. */
export function zeroCanaryMetrics(telemetry: Telemetry, scenarios: readonly Scenario[]): void {
  for (const { name: scenario } of scenarios)
    for (const result of ['ok', 'failed']) telemetry.count('canary_runs_total', { scenario, result }, 0)
}

/** Counts and logs a run; one that was cancelled is neither (N3). */
export function tellRun(telemetry: Telemetry, run: CanaryRun): void {
  const { scenario, model: alias, route, result, code, durationMs } = run
  if (result === 'cancelled') return
  telemetry.count('canary_runs_total', { scenario, result })
  const fields = { scenario, alias, route, result, duration_ms: durationMs }
  if (result === 'ok') telemetry.log.info(fields, 'canary run went well')
  else telemetry.log.warn({ ...fields, code }, 'canary run failed')
}

function logPassedOver(telemetry: Telemetry, passedOver: readonly PassedOver[]): void {
  for (const { scenario, model: alias, why } of passedOver)
    telemetry.log.info({ scenario, alias, why }, 'canary passes over an alias')
}
