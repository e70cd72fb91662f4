/**
 * One attempt: one physical request, from the neutral request to parts and a report. No policy: see `Upstream`.
 *
 * started ──sent──▶ waiting ──headers──▶ reading ──verdict──▶ settled
 *    └──────────────┴── network error, timer, cancel ─────────────▶ settled
 */

import { randomUUID } from 'node:crypto'

import { TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import type { Redactor } from '../../telemetry/redaction.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { type ByteSink, createDecoder, type Decoder } from '../body/content-encoding.ts'
import { type BodyReader, type BodyVerdict, createBodyReader } from '../body/response-body.ts'
import type { ExcerptOptions } from '../failures/excerpt.ts'
import { headerOf } from '../failures/retry-after.ts'
import type { Exchange, HttpClient, HttpRequest } from '../http.ts'
import type { Dialect } from '../protocols/dialects.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { EvidenceOptions } from '../recorder/evidence.ts'
import type { Limits, ModelRequest, PartSink, StreamPart, Timeouts } from '../types.ts'
import type { AttemptOptions, AttemptReport } from '../upstream.ts'
import { startRecord } from './attempt-record.ts'
import { type DeadlineReason, startDeadlines } from './deadlines.ts'
import type { Silences } from './silences.ts'

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
  /** Of what is quoted in errors. */
  readonly redactor: Redactor
  /** Where streams that are open show how silent they are. */
  readonly silences?: Silences
  /** How much of each exchange is kept for the recorder. */
  readonly evidence?: EvidenceOptions
}

/** How long the end of a response is waited for after the end marker of its answer. */
const DRAIN_MS = 100

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

/** The two ways in which a body is read: as it comes, or with its content encoding undone. */
type Inlet = Pick<Decoder, 'push' | 'end'>

function attempt(
  target: Target,
  request: ModelRequest,
  emit: PartSink,
  options: AttemptOptions,
): Promise<AttemptReport> {
  const { protocol, route, provider, limits, timeouts, http } = target
  const { signal, onBytes, stream: streamed = target.stream } = options
  const { evidence } = target
  const record = startRecord({ route, provider, streamed, ...(evidence && { evidence }) })
  const built = buildHttpRequest(target, request, options)
  if (built instanceof TurnkeeperError) {
    const report = record.toReport({ error: built, contentKind: undefined, idleMs: 0 })
    return Promise.resolve({ ...report, untranslatable: [built.message] })
  }

  return new Promise((resolve) => {
    let exchange: Exchange | undefined
    let body: BodyReader | undefined
    let decoder: Decoder | undefined
    let drainTimer: NodeJS.Timeout | undefined
    /** The fate of the answer is known. */
    let isSettled = false
    /** Nothing more comes from the connection. */
    let isOver = false
    let leave: (() => void) | undefined

    const settle = (error?: TurnkeeperError): void => {
      if (isSettled) return
      isSettled = true
      deadlines.stop()
      unwatch?.()
      decoder?.close()
      const idleMs = deadlines.longestSilenceMs
      const report = record.toReport({ error, contentKind: body?.kind, idleMs })
      leave = () => {
        clearTimeout(drainTimer)
        signal?.removeEventListener('abort', onAbort)
        exchange?.abort()
        resolve(report)
      }
      // A connection whose response has not ended cannot be used by the next request.
      if (error || isOver) leave()
      else drainTimer = setTimeout(leave, DRAIN_MS)
    }
    const settleWith = (verdict: BodyVerdict | undefined): void => {
      if (verdict) settle(verdict.type === 'failed' ? verdict.error : undefined)
    }
    const over = (): void => {
      isOver = true
      leave?.()
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
    const breakOff = (error: TurnkeeperError): void => {
      isOver = true
      if (isSettled) leave?.()
      else settleWith(guard(() => (body ? body.breakOff(error) : { type: 'failed', error })))
    }
    const onAbort = (): void => {
      isOver = true
      if (isSettled) leave?.()
      else settle(new TurnkeeperError('cancelled', 'the model call was cancelled'))
    }
    const onExpire = (reason: DeadlineReason, afterMs: number): void => breakOff(expired(reason, afterMs))
    const deadlines = startDeadlines({ timeouts, now: () => performance.now(), onExpire })
    const unwatch = target.silences?.watch(route, () => deadlines.silenceMs)

    const pass = (part: StreamPart): void => {
      record.part(part)
      emit(part)
    }
    const onPart = (part: StreamPart): void => {
      if (isContent(part)) deadlines.content()
      if (!record.isCommitted) {
        pass({ type: 'start', requestId: record.requestId ?? mapper.responseId, model: mapper.model, route })
      }
      pass(part)
    }
    // At most 40 signs: OpenAI refuses longer ids when they come back.
    const newId = (): string => `call_${randomUUID().replaceAll('-', '')}`
    const mapper = protocol.createMapper(onPart, { toolArgumentBytes: limits.toolArgumentBytes, newId })

    const plain: ByteSink = {
      push(chunk) {
        if (isSettled) return
        record.bytes(chunk)
        onBytes?.(chunk)
        settleWith(guard(() => body?.push(chunk)))
        if (!isSettled && mapper.finished) deadlines.finished()
      },
      end() {
        over()
        if (!isSettled) settleWith(guard(() => body?.end()))
      },
      fail: breakOff,
    }
    let inlet: Inlet = plain

    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    record.evidence?.sent({ method: 'POST', ...built.http })
    exchange = http.send(built.http, {
      onSent: () => deadlines.sent(),
      onHeaders(status, headers) {
        deadlines.headers()
        record.headers(status, headers)
        const { framing } = protocol
        const { excerpt } = built
        body = createBodyReader({
          status,
          headers,
          mapper,
          framing,
          streamed,
          limits,
          excerpt,
          now: Date.now,
        })
        decoder = createDecoder(headerOf(headers, 'content-encoding'), plain)
        inlet = decoder ?? plain
      },
      onData(chunk) {
        const at = performance.now()
        deadlines.bytes(chunk.length, at)
        record.evidence?.raw(chunk, at)
        inlet.push(chunk)
      },
      onEnd: () => (isSettled ? over() : inlet.end()),
      onError: breakOff,
    })
  })
}

type BuiltRequest = { readonly http: HttpRequest; readonly excerpt: ExcerptOptions }

/** The request in the wire format of the target, or why it cannot be said there. */
function buildHttpRequest(...call: Parameters<typeof toHttpRequest>): BuiltRequest | TurnkeeperError {
  try {
    return toHttpRequest(...call)
  } catch (thrown) {
    return toTurnkeeperError(thrown)
  }
}

function toHttpRequest(target: Target, request: ModelRequest, options: AttemptOptions): BuiltRequest {
  const { protocol, dialect, model, url, headers, redactor } = target
  const { apiKey = target.apiKey, stream = target.stream } = options
  const body = JSON.stringify(
    protocol.buildRequest(request, { model, stream, dialect, endpoint: url.pathname }),
  )
  return {
    http: {
      url,
      headers: {
        accept: `${stream ? 'text/event-stream' : 'application/json'}; charset=utf-8`,
        'accept-encoding': 'identity',
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'turnkeeper',
        ...protocol.headers,
        ...(apiKey !== undefined && protocol.authHeaders(apiKey, dialect)),
        ...headers,
      },
      body,
    },
    excerpt: { secrets: apiKey === undefined ? [] : [apiKey], redactor, sent: body },
  }
}

/** Content moves the commit point and the first-content timer; usage and endings do not. */
function isContent({ type }: StreamPart): boolean {
  return type === 'text' || type === 'reasoning' || type === 'tool_call_delta' || type === 'tool_call'
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
