/** Everything that a one-step turn shows of itself, through the code that shows it, with nothing done in between. */

import { loadConfig } from '../../../src/config/load.ts'
import { observeAttempt, observeCall } from '../../../src/providers/routing/call-telemetry.ts'
import { createRouteTable } from '../../../src/providers/routing/route-table.ts'
import type { AttemptReport } from '../../../src/providers/upstream.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import type { Telemetry } from '../../../src/telemetry/telemetry.ts'
import { cpuOf, cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { openNullTelemetry } from '../null-telemetry.ts'

/** As for every subject: measured when the compiler has come to rest. */
const AT_REST = { warmUpMs: 2400, measureMs: 1000 }

const USAGE = {
  ...{ inputTokens: 120, outputTokens: 200, totalTokens: 320 },
  ...{ cachedInputTokens: null, reasoningTokens: null },
}

/** The ids of a run's spans follow from its turn, its epoch and the step. */
const KNOWN_AS = { trace: 'turn-0123456789~session', span: 'turn-0123456789~session 1 m1' } as const

/** `mode`: `on`, `sampled out` or `off`. */
export const measure: Measure = async ({ mode }) => {
  const on = mode === 'off' ? undefined : await openNullTelemetry({ sampled: mode === 'on' })
  const turn = await prepareTurn(on ?? noTelemetry)
  const sample = { 'one-step turn': await cpuOf(turn, AT_REST) }
  if (on === undefined) return sample
  fill(on)
  return { ...sample, 'scrape, 1,000 series': (cpuOfCall(on.page) / seriesOf(on.page())) * 1000 }
}

const ROUTES = 60

/** The series of many routes, as a worker of a large fleet has them. */
function fill(telemetry: Telemetry): void {
  for (let i = 0; i < ROUTES; i++) {
    const route = { route: `main/model-${i}`, model: `model-${i}` }
    telemetry.record('provider_attempt_duration_seconds', { ...route, outcome: 'ok' }, 1)
    for (const outcome of ['ok', 'timeout_headers', 'stall', 'html']) {
      telemetry.count('provider_attempts_total', { ...route, provider: 'main', outcome })
    }
  }
}

/** Lines of a page that are samples: each bucket of a histogram is a series of its own. */
function seriesOf(page: string): number {
  return page.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
}

async function prepareTurn(telemetry: Telemetry): Promise<() => Promise<void>> {
  const config = await loadConfig({
    providers: { main: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1' } },
    models: { coder: { routes: ['main/first', 'main/second'] } },
  })
  const table = createRouteTable(config)
  const route = table.routes[0]!
  const world = { table, telemetry, clock: () => performance.now() }
  const report: AttemptReport = {
    ...{ route: route.name, outcome: 'ok', phase: 'after_content', status: 200, contentKind: 'json' },
    ...{ requestId: 'req_bench', usage: USAGE, durationMs: 12, idleMs: 1, streamed: true },
  }
  const facts = { model: 'first', requestId: 'chatcmpl-0123456789', finishReason: 'stop' } as const
  const attempt = (): Promise<AttemptReport> =>
    telemetry.observe(
      'POST',
      {
        ...{ 'http.request.method': 'POST', 'server.address': '127.0.0.1', 'server.port': 9 },
        'turnkeeper.route': route.name,
      },
      async (span) => {
        span.set({ 'http.response.status_code': 200 })
        return report
      },
    )
  const call = () =>
    observeCall(world, { request: { model: 'coder', messages: [] }, knownAs: KNOWN_AS }, async (span) => {
      span.onContent()
      const about = { route, alias: 'coder', number: 1, after: undefined, policy: [], price: undefined }
      const made = await observeAttempt(world, about, attempt)
      span.onAttempt(route, facts, made)
      const counts = { attempts: [], decisions: [], costUsd: null }
      return { outcome: 'ok', route: route.name, usage: made.usage, ...counts } as never // what is read of it
    })
  return async () => {
    const parent = await telemetry.observe('send turns', { 'messaging.operation.name': 'send' }, async () =>
      telemetry.carrier(),
    )
    await telemetry.observe(
      'process turns',
      { 'messaging.operation.name': 'process', 'turn.id': 'turn-0123456789' },
      async () => {
        telemetry.log.debug({ turn: 'turn-0123456789', agent: 'assistant', epoch: 1 }, 'turn started')
        await telemetry.observe('invoke_agent', { 'gen_ai.agent.name': 'assistant' }, call, {
          knownAs: KNOWN_AS,
        })
        telemetry.log.info({ turn: 'turn-0123456789', agent: 'assistant', steps: 1 }, 'turn completed')
      },
      { parent, knownAs: KNOWN_AS },
    )
  }
}
