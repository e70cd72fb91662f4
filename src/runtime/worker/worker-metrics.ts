import type { Census } from '../../queue/census.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { Agent } from '../agent.ts'

/** What `/health` and the gauges show, once the worker works. */
export type Vitals = { isDeaf: () => boolean }

export type WorkerMetrics = {
  readonly agents: ReadonlyMap<string, Agent>
  /** Ids of the wake-ups that are handled now. */
  readonly active: ReadonlySet<string>
  readonly concurrency: number
  readonly queue: string
  readonly vitals: Vitals
  readonly census: Census
}

/** Makes every series of a worker exist from the start; gauges are read from memory at each scrape. */
export function announceMetrics(
  telemetry: Telemetry,
  { agents, active, concurrency, queue, vitals, census }: WorkerMetrics,
): void {
  for (const agent of agents.keys()) {
    for (const outcome of ['ok', 'failed', 'cancelled']) telemetry.count('turns_total', { agent, outcome }, 0)
  }
  telemetry.count('worker_jobs_stalled_total', { queue }, 0)
  telemetry.gauge('worker_active_jobs', () => [[{ queue }, active.size]])
  telemetry.gauge('worker_concurrency', () => [[{ queue }, concurrency]])
  telemetry.gauge('worker_deaf', () => [[{}, vitals.isDeaf() ? 1 : 0]])
  telemetry.gauge('turns_open', () =>
    Object.entries(census.counts()?.open ?? {}).map(([state, count]) => [{ state }, count]),
  )
  telemetry.gauge('turns_dead_letter', () => {
    const counts = census.counts()
    return counts ? [[{}, counts.deadLetters]] : []
  })
}
