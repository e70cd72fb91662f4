/** Scripted stand-ins for what lies around the attempt engine. */

import type { RoutingConfig, Strategy } from '../../../src/config/config.ts'
import { type Reason, TurnkeeperError } from '../../../src/errors.ts'
import { createCollector } from '../../../src/providers/collect.ts'
import type { RouteHealth } from '../../../src/providers/routing/breaker/mirror.ts'
import type { HealthState } from '../../../src/providers/routing/breaker/states.ts'
import { createRouteTable, type RouteTable } from '../../../src/providers/routing/route-table.ts'
import type { StreamPart, Usage } from '../../../src/providers/types.ts'
import type { AttemptOptions, AttemptReport, Upstream } from '../../../src/providers/upstream.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import type { Telemetry } from '../../../src/telemetry/telemetry.ts'

/** What an attempt does: says some words, then ends well or with a reason. */
export type Act = {
  readonly says?: readonly string[]
  readonly fails?: Reason
  readonly retryAfterMs?: number
  readonly usage?: Usage
  /** Called when the attempt begins. */
  readonly before?: () => void
  readonly throws?: boolean
  /** Hangs until it is cancelled. */
  readonly hangs?: boolean
}

export type Script = Upstream & { readonly calls: AttemptOptions[] }

/** An upstream that plays its acts in order, the last one again and again. */
export function scriptedUpstream(route: string, acts: readonly Act[]): Script {
  const calls: AttemptOptions[] = []
  return {
    route,
    calls,
    async attempt(_request, emit, options = {}) {
      const act = acts[Math.min(calls.length, acts.length - 1)]!
      calls.push(options)
      act.before?.()
      if (act.throws) throw new TypeError('a promise broken')
      return play(route, act, { emit, options })
    },
  }
}

async function play(
  route: string,
  { says = [], fails, retryAfterMs, usage, hangs }: Act,
  { emit, options: { signal } }: { emit: (part: StreamPart) => void; options: AttemptOptions },
): Promise<AttemptReport> {
  const collector = createCollector(route)
  const give = (part: StreamPart): void => {
    collector.add(part)
    emit(part)
  }
  const reportOf = (more: Partial<AttemptReport>): AttemptReport => ({
    route,
    outcome: 'ok',
    phase: says.length > 0 ? 'after_content' : 'before_content',
    streamed: true,
    usage: usage ?? null,
    durationMs: 1,
    idleMs: 0,
    ...more,
  })
  const failed = (reason: Reason): AttemptReport =>
    reportOf({
      outcome: reason === 'cancelled' ? 'cancelled' : 'failed',
      error: new TurnkeeperError(reason, `scripted ${reason}`, {
        route,
        partial: collector.answer(),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      }),
    })
  if (signal?.aborted) return failed('cancelled')
  if (says.length > 0 || (fails === undefined && !hangs))
    give({ type: 'start', requestId: null, model: 'm', route })
  for (const delta of says) give({ type: 'text', delta })
  if (hangs) {
    await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }))
    return failed('cancelled')
  }
  if (fails !== undefined) return failed(fails)
  give({ type: 'finish', reason: 'stop', rawReason: 'stop' })
  return reportOf({})
}

export type FakeHealth = {
  view(route: string): RouteHealth
  report(route: string, generation: number, failure?: Reason): void
  rerouted(route: string, generation: number): void
  set(route: string, state: HealthState, nextProbeInMs?: number, more?: Partial<RouteHealth>): void
  readonly told: string[]
}

/** Health as a test sets it, which remembers what it is told. */
export function fakeHealth(): FakeHealth {
  const states = new Map<string, Pick<RouteHealth, 'state' | 'nextProbeInMs'> & Partial<RouteHealth>>()
  const told: string[] = []
  return {
    told,
    view: (route) => ({
      generation: 0,
      since: undefined,
      reason: undefined,
      openedAt: undefined,
      ...(states.get(route) ?? { state: 'closed', nextProbeInMs: undefined }),
    }),
    report: (route, _generation, failure) => void told.push(`${route} ${failure ?? 'ok'}`),
    rerouted: (route) => void told.push(`${route} rerouted`),
    set: (route, state, nextProbeInMs, more) => void states.set(route, { state, nextProbeInMs, ...more }),
  }
}

export const ROUTING: RoutingConfig = {
  retries: 1,
  maxAttempts: 4,
  backoff: { baseMs: 100, maxMs: 1000 },
  forceModelPrefix: false,
  retryBudget: 0.1,
  cooldown: { defaultMs: 60_000, maxMs: 900_000 },
}

/** A table with the alias `coder` over the routes, all of provider `p`. */
export function tableOf(
  routes: readonly string[],
  strategy: Strategy = 'first_healthy',
  weights: Readonly<Record<string, number>> = {},
): RouteTable {
  const provider = {
    name: 'p',
    protocol: 'openai-chat',
    enabled: true,
    models: { include: ['*'], exclude: [] },
  }
  const named = routes.map((name) => {
    const [weight] = name in weights ? [weights[name]] : []
    return { name, provider: 'p', model: name.slice(2), ...(weight !== undefined && { weight }) }
  })
  return createRouteTable({
    providers: { p: provider, off: { ...provider, name: 'off', enabled: false } },
    routing: ROUTING,
    models: { coder: { alias: 'coder', strategy, routes: named } },
  } as unknown as Parameters<typeof createRouteTable>[0]) // the table reads nothing else of a provider
}

export type Recorded = Telemetry & {
  readonly counts: Map<string, number>
  readonly spans: { operation: string; attributes: Record<string, unknown>; failed?: string }[]
  readonly lines: string[]
}

/** Telemetry that keeps what it is given. */
export function recordingTelemetry(): Recorded {
  const counts = new Map<string, number>()
  const spans: Recorded['spans'] = []
  const lines: string[] = []
  const log = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  return {
    ...noTelemetry,
    counts,
    spans,
    lines,
    count(metric, labels, value = 1) {
      const key = `${metric} ${Object.values(labels).join(' ')}`.trim()
      counts.set(key, (counts.get(key) ?? 0) + value)
    },
    observe(operation, attributes, work) {
      const span: Recorded['spans'][number] = { operation, attributes: { ...attributes } }
      spans.push(span)
      return work({
        capturesContent: false,
        set: (more) => void Object.assign(span.attributes, more),
        event: () => {},
        fail: (type) => {
          span.failed = type
        },
      })
    },
    log: { debug: log, info: log, warn: log, error: log },
  }
}
