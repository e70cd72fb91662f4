/**
 * One attempt: one physical request, from the neutral request to parts and a report. No policy: see `Upstream`.
 *
 * started ──sent──▶ waiting ──headers──▶ reading ──verdict──▶ settled
 *    └──────────────┴── network error, timer, cancel ─────────────▶ settled
 */

import { randomUUID } from 'node:crypto'

import { TurnkeeperError, toTurnkeeperError, withDetails } from '../errors.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createCollector } from './collect.ts'
import { type ByteSink, createDecoder, type Decoder } from './content-encoding.ts'
import { type DeadlineReason, startDeadlines } from './deadlines.ts'
import type { Exchange, HttpClient, HttpRequest } from './http.ts'
import type { Dialect } from './protocols/dialects.ts'
import type { AnswerMapper, Protocol } from './protocols/protocol.ts'
import { requestIdOf } from './request-id.ts'
import { type BodyReader, type BodyVerdict, createBodyReader } from './response-body.ts'
import { headerOf } from './retry-after.ts'
import type { Limits, ModelRequest, PartSink, StreamPart, Timeouts } from './types.ts'
import type { AttemptOptions, AttemptReport, ResponseHeaders } from './upstream.ts'

/** What stays the same for all attempts on a route. */
export type Target = {
  readonly protocol: Protocol
  readonly dialect: Dialect
  readonly url: URL
  readonly model: string
  /** `provider/model`. */
  readonly route: string
  readonly provider: string
  readonly apiKey?: string
  readonly stream: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly http: HttpClient
  readonly telemetry: Telemetry
}

const EXCERPT_BYTES = 2048
/** How long a connection may linger after the end marker to become reusable. */
const DRAIN_MS = 250

/** Makes one request and resolves when its fate is known. Never rejects for what an upstream did. */
export async function runAttempt(
  target: Target,
  request: ModelRequest,
  emit: PartSink,
  options: AttemptOptions = {},
): Promise<AttemptReport> {
  const { telemetry, url, route } = target
  const attributes = {
    'http.request.method': 'POST',
    'server.address': url.hostname,
    'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    'turnkeeper.route': route,
  }
  return telemetry.observe('POST', attributes, async (span) => {
    const report = await attempt(target, request, emit, options)
    span.set({ 'http.response.status_code': report.status })
    if (report.error) span.fail(report.error.code)
    return report
  })
}

/** Everything that changes during an attempt. */
type Progress = {
  phase: AttemptReport['phase']
  status: number | undefined
  responseHeaders: ResponseHeaders | undefined
  requestId: string | undefined
  headersMs: number | undefined
  firstContentMs: number | undefined
  excerpt: Uint8Array[]
  excerptBytes: number
}

function attempt(
  target: Target,
  request: ModelRequest,
  emit: PartSink,
  options: AttemptOptions,
): Promise<AttemptReport> {
  const { protocol, dialect, model, route, provider, limits, timeouts, http } = target
  const { signal, onBytes, apiKey = target.apiKey, stream: streamed = target.stream } = options
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  const collector = createCollector(route)
  const progress: Progress = {
    phase: 'before_headers',
    status: undefined,
    responseHeaders: undefined,
    requestId: undefined,
    headersMs: undefined,
    firstContentMs: undefined,
    excerpt: [],
    excerptBytes: 0,
  }

  return new Promise((resolve) => {
    let exchange: Exchange | undefined
    let body: BodyReader | undefined
    let decoder: Decoder | undefined
    let drainTimer: NodeJS.Timeout | undefined
    let isSettled = false

    const pass: PartSink = (part) => {
      collector.add(part)
      emit(part)
    }
    const onPart: PartSink = (part) => {
      if (isContent(part)) {
        deadlines.content()
        progress.firstContentMs ??= elapsed()
      }
      if (progress.phase !== 'after_content') {
        progress.phase = 'after_content'
        pass({
          type: 'start',
          requestId: progress.requestId ?? mapper.responseId,
          model: mapper.model,
          route,
        })
      }
      pass(part)
    }
    const mapper: AnswerMapper = protocol.createMapper(onPart, {
      toolArgumentBytes: limits.toolArgumentBytes,
      newId: () => `call_${randomUUID()}`,
    })

    const settle = (error?: TurnkeeperError): void => {
      if (isSettled) return
      isSettled = true
      deadlines.stop()
      signal?.removeEventListener('abort', onAbort)
      decoder?.close()
      if (error) exchange?.abort()
      resolve(toReport(error))
    }
    const toReport = (error: TurnkeeperError | undefined): AttemptReport => {
      const { status, responseHeaders, requestId, headersMs, firstContentMs } = progress
      const answer = collector.answer()
      const details = {
        provider,
        route,
        partial: answer,
        ...(status !== undefined && { status }),
        ...(requestId !== undefined && { requestId }),
      }
      return {
        route,
        outcome: error === undefined ? 'ok' : error.reason === 'cancelled' ? 'cancelled' : 'failed',
        ...(error && { error: withDetails(error, details) }),
        phase: progress.phase,
        streamed,
        ...(status !== undefined && { status }),
        ...(body?.kind && { contentKind: body.kind }),
        ...(requestId !== undefined && { requestId }),
        ...(responseHeaders && { responseHeaders }),
        ...(progress.excerptBytes > 0 && { excerpt: Buffer.concat(progress.excerpt) }),
        usage: answer.usage,
        durationMs: elapsed(),
        ...(headersMs !== undefined && { headersMs }),
        ...(firstContentMs !== undefined && { timeToFirstContentMs: firstContentMs }),
        idleMs: deadlines.longestSilenceMs,
      }
    }
    const settleWith = (verdict: BodyVerdict): void => {
      if (verdict.type === 'failed') return settle(verdict.error)
      settle()
      drainTimer = setTimeout(() => exchange?.abort(), DRAIN_MS).unref()
    }
    const breakOff = (error: TurnkeeperError): void => {
      if (isSettled) return
      const verdict: BodyVerdict = guard(() => body?.breakOff(error)) ?? { type: 'failed', error }
      settleWith(verdict)
      exchange?.abort()
    }
    /** A fault of ours, or of the caller's sink, ends the attempt instead of the process. */
    const guard = <T>(work: () => T): T | undefined => {
      try {
        return work()
      } catch (error) {
        settle(toTurnkeeperError(error))
        return undefined
      }
    }
    const onAbort = (): void => settle(cancelled())
    const onExpire = (reason: DeadlineReason, afterMs: number): void => breakOff(expired(reason, afterMs))
    const deadlines = startDeadlines({ timeouts, now: () => performance.now(), onExpire })

    const plain: ByteSink = {
      push(chunk) {
        if (isSettled || body === undefined) return
        keepExcerpt(progress, chunk)
        onBytes?.(chunk)
        const verdict = guard(() => body?.push(chunk))
        if (verdict) settleWith(verdict)
        else if (mapper.finished) deadlines.finished()
      },
      end() {
        const verdict = isSettled ? undefined : guard(() => body?.end())
        if (verdict) settleWith(verdict)
        clearTimeout(drainTimer)
      },
      fail: breakOff,
    }

    if (signal?.aborted) return settle(cancelled())
    const built = guard(() =>
      toHttpRequest(target, protocol.buildRequest(request, { model, stream: streamed, dialect }), {
        apiKey,
        streamed,
      }),
    )
    if (built === undefined) return
    signal?.addEventListener('abort', onAbort, { once: true })
    exchange = http.send(built, {
      onSent: deadlines.sent,
      onHeaders(status, headers) {
        deadlines.headers()
        progress.phase = 'before_content'
        progress.status = status
        progress.responseHeaders = headers
        progress.requestId = requestIdOf(headers)
        progress.headersMs = elapsed()
        body = createBodyReader({
          status,
          headers,
          mapper,
          framing: protocol.framing,
          streamed,
          limits,
          excerpt: { secrets: apiKey === undefined ? [] : [apiKey], sent: built.body },
          now: Date.now,
        })
        decoder = createDecoder(headerOf(headers, 'content-encoding'), plain)
      },
      onData(chunk) {
        deadlines.bytes()
        if (decoder !== undefined) decoder.push(chunk)
        else plain.push(chunk)
      },
      onEnd() {
        clearTimeout(drainTimer)
        if (decoder !== undefined) decoder.end()
        else plain.end()
      },
      onError: breakOff,
    })
  })
}

function toHttpRequest(
  { protocol, url, headers }: Target,
  body: unknown,
  { apiKey, streamed }: { readonly apiKey: string | undefined; readonly streamed: boolean },
): HttpRequest {
  return {
    url,
    headers: {
      accept: `${streamed ? 'text/event-stream' : 'application/json'}; charset=utf-8`,
      'accept-encoding': 'identity',
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'turnkeeper',
      ...(apiKey !== undefined && protocol.authHeaders(apiKey)),
      ...headers,
    },
    body: JSON.stringify(body),
  }
}

/** Content moves the commit point and the first-content timer; usage and endings do not. */
function isContent({ type }: StreamPart): boolean {
  return type === 'text' || type === 'reasoning' || type === 'tool_call_delta' || type === 'tool_call'
}

function keepExcerpt(progress: Progress, chunk: Uint8Array): void {
  const free = EXCERPT_BYTES - progress.excerptBytes
  if (free <= 0) return
  const kept = chunk.slice(0, free)
  progress.excerpt.push(kept)
  progress.excerptBytes += kept.length
}

function cancelled(): TurnkeeperError {
  return new TurnkeeperError('cancelled', 'the model call was cancelled')
}

const EXPIRED: Readonly<Record<DeadlineReason, string>> = {
  timeout_headers: 'no response headers',
  timeout_first_content: 'no content',
  stall: 'no byte',
  timeout_total: 'no end of the answer',
}

function expired(reason: DeadlineReason, afterMs: number): TurnkeeperError {
  return new TurnkeeperError(reason, `${EXPIRED[reason]} from the upstream for ${afterMs} ms`)
}
