import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import type { Telemetry } from '../telemetry.ts'

/** How finely the delay of the event loop is sampled, in milliseconds; finer costs wake-ups. */
const RESOLUTION_MS = 10

/**
 * The gauges of a Node process itself, under the names of OpenTelemetry's `nodejs.*` and `v8js.*` conventions, read at
 * each scrape. Delay and utilization are of the time since the scrape before. Returns what ends the sampling.
 */
export function registerVitals({ gauge }: Pick<Telemetry, 'gauge'>): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  let loop = performance.eventLoopUtilization()
  const removals = [
    gauge('nodejs_eventloop_delay_p99_seconds', () => {
      const p99Ns = delays.percentile(99)
      delays.reset()
      // the sampling interval itself is no delay
      return [[{}, Math.max(0, p99Ns / 1e9 - RESOLUTION_MS / 1000)]]
    }),
    gauge('nodejs_eventloop_utilization_ratio', () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, loop)
      loop = now
      return [[{}, utilization]]
    }),
    gauge('v8js_memory_heap_used_bytes', () =>
      getHeapSpaceStatistics().map(({ space_name, space_used_size }) => [
        { v8js_heap_space_name: space_name },
        space_used_size,
      ]),
    ),
    gauge('v8js_memory_heap_limit_bytes', () => [[{}, getHeapStatistics().heap_size_limit]]),
    gauge('process_start_time_seconds', () => [[{}, performance.timeOrigin / 1000]]),
  ]
  return () => {
    delays.disable()
    for (const remove of removals) remove()
  }
}
