import { z } from 'zod'
import type { Config } from '../config/config.ts'
import { TurnkeeperError } from '../errors.ts'
import { answering } from '../redis/answering.ts'
import { derivedSessionId, type SessionRef, sessionRef } from '../redis/keys.ts'
import { noTelemetry } from '../telemetry/none.ts'
import type { Carrier, Telemetry } from '../telemetry/telemetry.ts'
import { type OpenBackendOptions, openBackend, type QueueBackend } from './backend.ts'
import { createCallOrder } from './call-order.ts'
import { type Decisions, decisionsOn } from './decisions.ts'
import { type TurnHandle, turnHandle } from './handle.ts'
import { type ListOptions, listTurns, type TurnPage } from './listing.ts'
import type { Json, TurnOptions } from './types.ts'

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
   *   `queue/idempotency_conflict`, or `queue/redis_unavailable`.
   */
  enqueue(agent: string, options: EnqueueOptions): Promise<TurnHandle>
  /**
   * Enqueues many turns at once, in the order given; one that is refused rejects the whole call, after the others
   * have been accepted, so give each an idempotency key if you mean to repeat the call.
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

const enqueueSchema = z.strictObject({
  input: z.string().min(1),
  sessionId: z.string().optional(),
  idempotencyKey: z.string().min(1).max(512).optional(),
  priority: z.int().min(0).max(10).optional(),
  delayMs: z.number().min(0).optional(),
  deadlineMs: z.number().positive().optional(),
  tenant: z.string().optional(),
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
  const { journal, fleet, wakeQueue } = backend
  const inOrder = createCallOrder<SessionRef>()

  const accept = async (agent: string, options: EnqueueOptions, carrier: Carrier): Promise<TurnHandle> => {
    const {
      input,
      sessionId,
      idempotencyKey,
      delayMs = 0,
      deadlineMs,
      tenant,
      traceparent,
      ...rest
    } = options
    if ((await fleet.serves(agent)) === 'no') {
      throw new TurnkeeperError('unknown_agent', `no running worker has an agent named "${agent}"`)
    }
    // Turns of a session stand in the order of the calls, also of calls that were not awaited.
    const session = sessionRef(sessionId ?? derivedSessionId(idempotencyKey), tenant)
    const accepted = await inOrder(session, () =>
      journal.accept({
        session,
        agent,
        input,
        options: withoutUndefined({ ...rest, tenant }),
        carrier: traceparent === undefined ? carrier : { traceparent },
        delayMs,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
        ...(deadlineMs !== undefined && { deadlineMs }),
      }),
    )
    if (accepted.outcome === 'conflict') {
      throw new TurnkeeperError(
        'idempotency_conflict',
        `the idempotency key stands for turn ${accepted.turnId}, which was enqueued with other input`,
      )
    }
    // The journal has the turn: if this hint is lost, the reconciler gives it.
    await wakeQueue.wake(accepted.turnId, { delayMs, priority: options.priority ?? 0 }).catch(() => {})
    return turnHandle(backend, accepted.turnId)
  }

  const enqueue = async (agent: string, options: EnqueueOptions): Promise<TurnHandle> => {
    const checked = checkOptions(agent, options)
    const carried: Carrier = checked.traceparent === undefined ? {} : { traceparent: checked.traceparent }
    return telemetry.observe(
      'send turns',
      {
        'messaging.system.name': 'bullmq',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': queue,
        'gen_ai.agent.name': agent,
      },
      async (span) => {
        const active = telemetry.carrier()
        const handle = await answering(
          accept(agent, withoutTrace(checked), active.traceparent === undefined ? carried : active),
        )
        span.set({ 'messaging.message.id': handle.id })
        return handle
      },
      checked.traceparent === undefined ? {} : { parent: carried },
    )
  }

  const close = (): Promise<void> => backend.close()
  return {
    enqueue,
    enqueueMany: (turns) => Promise.all(turns.map(({ agent, ...options }) => enqueue(agent, options))),
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
  return options
}

function withoutTrace({ traceparent: _traceparent, ...options }: EnqueueOptions): EnqueueOptions {
  return options
}

function withoutUndefined(options: { [K in keyof TurnOptions]: TurnOptions[K] | undefined }): TurnOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as TurnOptions
}
