import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import { TurnkeeperError } from '../../errors.ts'
import { answering } from '../../redis/answering.ts'
import { derivedSessionId, sessionRef } from '../../redis/keys.ts'
import { noTelemetry } from '../../telemetry/none.ts'
import type { ActiveSpan, Carrier, Telemetry } from '../../telemetry/telemetry.ts'
import { createAcceptance } from '../acceptance.ts'
import { type OpenBackendOptions, openBackend, type QueueBackend } from '../backend.ts'
import type { Accepted, NewTurn } from '../journal-types.ts'
import type { Json, TurnOptions } from '../types.ts'
import { type Decisions, decisionsOn } from './decisions.ts'
import { type TurnHandle, turnHandle } from './handle.ts'
import { type ListOptions, listTurns, type TurnPage } from './listing.ts'

/** What a turn is asked to do, and how. */
export type EnqueueOptions = {
  /** The user's words. */
  readonly input: string
  /** The conversation that the turn belongs to; without one it has its own. */
  readonly sessionId?: string
  /** The same key in the same session gives the same turn. */
  readonly idempotencyKey?: string
  /** 0 to 10, higher first between sessions; default 0. */
  readonly priority?: number
  /** The turn is due only after this time; default 0. */
  readonly delayMs?: number
  /** Counted from acceptance; a turn that has not ended by then fails with `turn/deadline`. */
  readonly deadlineMs?: number
  readonly tenant?: string
  /** Whose model calls a mitigation counts and moves apart, such as one API key of yours; 1 to 128 characters. */
  readonly segment?: string
  /** Alias or route, instead of the agent's. */
  readonly model?: string
  /** Model parameters, over the agent's. */
  readonly parameters?: Readonly<Record<string, Json>>
  /** Kept with the turn, for the caller's own use. */
  readonly metadata?: Readonly<Record<string, Json>>
  /** W3C trace context to continue, instead of the active span. */
  readonly traceparent?: string
}

/** Enqueues turns and reads them; any number of these in any number of processes. */
export type TurnClient = Decisions & {
  /**
   * Accepts a turn; once this resolves, it is never lost.
   * @throws TurnkeeperError `turn/invalid_input`, `turn/unknown_agent` when workers run and none has the agent,
   *   `queue/idempotency_conflict`, `queue/overloaded_queue` with `retryAfterMs` when too much waits, or
   *   `queue/redis_unavailable`.
   */
  enqueue(agent: string, options: EnqueueOptions): Promise<TurnHandle>
  /**
   * Enqueues many turns at once, in the order given and in as many round trips as a single one. All are accepted or
   * none, but for an `idempotency_conflict`: that rejects the call after the others have been accepted.
   */
  enqueueMany(turns: readonly ({ readonly agent: string } & EnqueueOptions)[]): Promise<TurnHandle[]>
  /** A turn by its id. */
  turn(id: string): TurnHandle
  /**
   * A page of turns: open ones, oldest first, then ended ones, newest first. Go on with its `cursor` while it has one;
   * with a filter, a page may hold fewer turns than `limit` before the last one.
   * @throws TurnkeeperError `turn/invalid_input` or `queue/redis_unavailable`.
   */
  turns(options?: ListOptions): Promise<TurnPage>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const MAX_INPUT_BYTES = 1024 * 1024
/** Parameters and metadata together, as JSON: they are read with each claim. */
const MAX_OPTIONS_BYTES = 64 * 1024

const enqueueSchema = z.strictObject({
  input: z.string().min(1),
  sessionId: z.string().optional(),
  idempotencyKey: z.string().min(1).max(512).optional(),
  priority: z.int().min(0).max(10).optional(),
  delayMs: z.number().min(0).optional(),
  deadlineMs: z.number().positive().optional(),
  tenant: z.string().optional(),
  segment: z.string().min(1).max(128).optional(),
  model: z.string().min(1).optional(),
  parameters: z.record(z.string(), z.json()).optional(),
  metadata: z.record(z.string(), z.json()).optional(),
  traceparent: z
    .string()
    .regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, 'expected a W3C traceparent')
    .optional(),
})

/** A client on the Redis of `config`, with connections of its own. */
export async function openClient(
  config: Pick<Config, 'redis' | 'queue'>,
  options: OpenBackendOptions & { telemetry?: Telemetry } = {},
): Promise<TurnClient> {
  const backend = await openBackend(config, options)
  return clientOn(backend, { queue: config.queue.name, telemetry: options.telemetry ?? noTelemetry })
}

/** A client on connections that it closes with itself. */
export function clientOn(
  backend: QueueBackend,
  { queue, telemetry }: { queue: string; telemetry: Telemetry },
): TurnClient {
  const accept = createAcceptance(backend)

  const send = <T>(
    count: number,
    agent: string,
    traceparent: string | undefined,
    work: Work<T>,
  ): Promise<T> =>
    telemetry.observe(
      'send turns',
      {
        'messaging.system.name': 'bullmq',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': queue,
        'gen_ai.agent.name': agent,
        ...(count > 1 && { 'messaging.batch.message_count': count }),
      },
      (span) => answering(work(span, telemetry.carrier())),
      traceparent === undefined ? {} : { parent: { traceparent } },
    )

  const enqueue = async (agent: string, options: EnqueueOptions): Promise<TurnHandle> => {
    const checked = checkOptions(agent, options)
    return send(1, agent, checked.traceparent, async (span, active) => {
      const carrier = active.traceparent === undefined ? carrierOf(checked) : active
      const [accepted] = await accept([toNewTurn(agent, checked, carrier)])
      const handle = handleOf(backend, accepted)
      span.set({ 'messaging.message.id': handle.id })
      return handle
    })
  }

  const enqueueMany: TurnClient['enqueueMany'] = async (turns) => {
    const checked = turns.map(({ agent, ...options }) => ({ agent, options: checkOptions(agent, options) }))
    const agents = new Set(checked.map(({ agent }) => agent))
    if (agents.size === 0) return []
    return send(turns.length, [...agents].join(','), undefined, async (_span, active) => {
      const accepted = await accept(
        checked.map(({ agent, options }) =>
          toNewTurn(agent, options, options.traceparent === undefined ? active : carrierOf(options)),
        ),
      )
      return accepted.map((one) => handleOf(backend, one))
    })
  }

  const close = (): Promise<void> => backend.close()
  return {
    enqueue,
    enqueueMany,
    turn: (id) => turnHandle(backend, id),
    turns: (options) => answering(listTurns(backend, options)),
    ...decisionsOn(backend),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkOptions(agent: string, options: EnqueueOptions): EnqueueOptions {
  if (typeof agent !== 'string' || agent === '') {
    throw new TurnkeeperError('invalid_input', 'agent: expected the name of an agent')
  }
  const checked = enqueueSchema.safeParse(options)
  if (!checked.success) {
    const problems = checked.error.issues.map(
      (issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`,
    )
    throw new TurnkeeperError('invalid_input', problems.join('; '))
  }
  const sizeBytes = Buffer.byteLength(options.input)
  if (sizeBytes > MAX_INPUT_BYTES) {
    throw new TurnkeeperError(
      'invalid_input',
      `input: expected at most ${MAX_INPUT_BYTES} bytes, got ${sizeBytes}`,
    )
  }
  const extra = JSON.stringify([options.parameters, options.metadata])
  const extraBytes = Buffer.byteLength(extra)
  if (extraBytes > MAX_OPTIONS_BYTES) {
    throw new TurnkeeperError(
      'invalid_input',
      `parameters and metadata: expected at most ${MAX_OPTIONS_BYTES} bytes together, got ${extraBytes}`,
    )
  }
  return options
}

type Work<T> = (span: ActiveSpan, active: Carrier) => Promise<T>

function carrierOf({ traceparent }: EnqueueOptions): Carrier {
  return traceparent === undefined ? {} : { traceparent }
}

function toNewTurn(agent: string, options: EnqueueOptions, carrier: Carrier): NewTurn {
  const { input, sessionId, idempotencyKey, delayMs = 0, deadlineMs, tenant, traceparent, ...rest } = options
  return {
    session: sessionRef(sessionId ?? derivedSessionId(idempotencyKey), tenant),
    agent,
    input,
    options: withoutUndefined({ ...rest, tenant }),
    carrier,
    delayMs,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(deadlineMs !== undefined && { deadlineMs }),
  }
}

function handleOf(backend: QueueBackend, accepted: Accepted | undefined): TurnHandle {
  if (accepted === undefined || accepted.outcome === 'conflict') {
    throw new TurnkeeperError(
      'idempotency_conflict',
      `the idempotency key stands for turn ${accepted?.turnId}, which was enqueued with other input`,
    )
  }
  return turnHandle(backend, accepted.turnId, accepted.acceptedAt > 0 ? accepted : undefined)
}

function withoutUndefined(options: { [K in keyof TurnOptions]: TurnOptions[K] | undefined }): TurnOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as TurnOptions
}
