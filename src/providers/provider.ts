/**
 * One upstream as users hold it: stream, complete, retries on the same route.
 *
 * R1. Nothing is tried again after the commit point, after a cancel, or where the reason says that it is useless.
 * R2. Unreadable events make the call fall back to a plain JSON answer once, besides the retries.
 */

import { setTimeout as sleep } from 'node:timers/promises'

import { type AttemptSummary, REASONS, type TurnkeeperError, withDetails } from '../errors.ts'
import { createUpstream, DEFAULT_TIMEOUTS, type UpstreamOptions } from './attempt/create-upstream.ts'
import { createCollector } from './collect.ts'
import { createHttpClient } from './http.ts'
import { createPartQueue } from './part-queue.ts'
import { decideTransport, type Lesson, lessonOf } from './policy.ts'
import type { Answer, ModelRequest, PartSink, Provider, RunOptions, StreamPart } from './types.ts'
import { type AttemptReport, reportToSummary, type Upstream } from './upstream.ts'

export type ProviderOptions = Omit<UpstreamOptions, 'http' | 'stream' | 'route' | 'provider'> & {
  /**
   * Whether event streams are asked for; the parts are the same either way. `auto`: except for requests with
   * tools, whose streams upstreams break most. Default true.
   */
  readonly stream?: boolean | 'auto'
  /** Further requests after a failure that may pass. Default 1. */
  readonly retries?: number
  /** Name in routes and errors. Default: host of the base URL. */
  readonly provider?: string
}

const BACKOFF_BASE_MS = 500
const BACKOFF_MAX_MS = 30_000

/** A provider with its own connections. Throws `config/invalid_config` for options that cannot work. */
export function createProvider(options: ProviderOptions): Provider {
  const { stream = true, retries = 1, ...rest } = options
  const http = createHttpClient({ connectMs: options.timeouts?.connectMs ?? DEFAULT_TIMEOUTS.connectMs })
  const upstream = createUpstream({ ...rest, http })
  const run: Provider['run'] = (request, emit, { signal } = {}) =>
    runWithRetries({ upstream, retries, stream, request, emit, ...(signal && { signal }) })
  const close = (): Promise<void> => http.close()
  return {
    run,
    stream: (request, runOptions) => streamOf(run, request, runOptions),
    complete: (request, runOptions) => completeOf(run, upstream.route, request, runOptions),
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Run = {
  readonly upstream: Upstream
  readonly retries: number
  readonly stream: boolean | 'auto'
  readonly request: ModelRequest
  readonly emit: PartSink
  readonly signal?: AbortSignal
}

async function runWithRetries({
  upstream,
  retries,
  stream: asked,
  request,
  emit,
  signal,
}: Run): Promise<void> {
  const attempts: AttemptSummary[] = []
  const lessons = new Set<Lesson>()
  const policy = { toolTurns: asked, jsonFallback: false }
  let retriesLeft = retries
  for (;;) {
    const transport = decideTransport(request, { policy, lessons })
    const stream = asked !== false && transport.stream
    const report = await upstream.attempt(request, emit, { stream, ...(signal && { signal }) })
    const { reasons } = transport
    attempts.push({
      ...reportToSummary(report),
      ...(asked !== false && reasons.length > 0 && { policy: reasons }),
    })
    if (report.error === undefined) return
    const lesson = stream ? lessonOf(report, transport, policy) : undefined
    if (lesson && report.phase !== 'after_content') {
      lessons.add(lesson)
      continue
    }
    const delayMs = retriesLeft > 0 ? retryDelay(report, attempts.length) : undefined
    if (delayMs === undefined || !(await slept(delayMs, signal))) return emitError(report, attempts, emit)
    retriesLeft--
  }
}

/** How long to wait before the next request; undefined where there should be none. */
function retryDelay({ phase, error, outcome }: AttemptReport, attempts: number): number | undefined {
  if (outcome !== 'failed' || phase === 'after_content' || error === undefined) return undefined
  const { sameRoute } = REASONS[error.reason]
  if (sameRoute === 'no' || (sameRoute === 'once' && attempts > 1)) return undefined
  const asked = error.retryAfterMs
  if (asked !== undefined) return asked <= BACKOFF_MAX_MS ? asked : undefined
  return Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (attempts - 1))
}

/** False when `signal` ended the wait. */
async function slept(delayMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await sleep(delayMs, undefined, { ...(signal && { signal }) })
    return true
  } catch {
    return false
  }
}

function emitError({ error }: AttemptReport, attempts: readonly AttemptSummary[], emit: PartSink): void {
  if (error === undefined) return
  // Upstream.attempt puts the answer so far there.
  emit({ type: 'error', error: withDetails(error, { attempts }), partial: error.partial as Answer })
}

/** The parts of a run as an async iterable; leaving it early cancels the run. */
export function streamOf(
  run: Provider['run'],
  request: ModelRequest,
  { signal, ...options }: RunOptions = {},
): AsyncIterable<StreamPart> {
  return {
    [Symbol.asyncIterator]() {
      const queue = createPartQueue()
      const left = new AbortController()
      const both = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal])
      void run(request, queue.push, { ...options, signal: both }).finally(queue.end)
      return queue.iterate(() => left.abort())
    },
  }
}

/** The whole answer of a run; rejects with its error. */
export async function completeOf(
  run: Provider['run'],
  route: string,
  request: ModelRequest,
  options?: RunOptions,
): Promise<Answer> {
  const collector = createCollector(route)
  let failure: TurnkeeperError | undefined
  await run(
    request,
    (part) => {
      if (part.type === 'error') failure = part.error
      else collector.add(part)
    },
    options,
  )
  if (failure !== undefined) throw failure
  return collector.answer()
}
