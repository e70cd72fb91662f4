/**
 * A worker: takes wake-ups, runs turns, and leaves without losing one.
 *
 *   starting → working → leaving (no new turn, no new step; turns are handed back) → closed
 *
 * K1. A worker is known to the fleet before it takes its first wake-up.
 * K2. It shows signs of life until its last turn has ended or was handed over: a step that is still being finished is
 *     nobody else's to run.
 * K3. While leaving, running steps have a grace of 20 s; what is not done by then is given up and goes on elsewhere.
 */

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../../config/config.ts'
import { secretValues } from '../../config/describe.ts'
import { packageVersion } from '../../config/version.ts'
import { TurnkeeperError } from '../../errors.ts'
import { openReloadableRuntime, type ReloadableRuntime } from '../../providers/reloadable.ts'
import { streamOfConfig } from '../../providers/snapshot/snapshot-stream.ts'
import { openBackend, type QueueBackend } from '../../queue/backend.ts'
import { startWakeWorker, type WakeWorker } from '../../queue/bullmq.ts'
import { startCensus } from '../../queue/census.ts'
import { startQueueGauges } from '../../queue/gauges.ts'
import type { Journal } from '../../queue/journal.ts'
import { startHeartbeat } from '../../queue/presence.ts'
import { startReconciler } from '../../queue/reconciler.ts'
import { closeRedis, connectRedis } from '../../redis/connection.ts'
import type { RedisOrigin } from '../../redis/embedded.ts'
import { globalKeys } from '../../redis/keys.ts'
import { createTelemetry, type RunningTelemetry } from '../../telemetry/create.ts'
import type { Agent } from '../agent.ts'
import { loadAgents } from '../load-agents.ts'
import { largeTools } from '../tools/large-tools.ts'
import type { CallModel } from '../turn/turn-context.ts'
import { callThrough } from './call-through.ts'
import { openConsumer } from './consumer.ts'
import type { Lease } from './lease.ts'
import { timedJournal } from './timed-journal.ts'
import { createWaitingTurns } from './waiting-turns.ts'
import { createWakeHandler, type WakeHandler } from './wake-handler.ts'
import { announceMetrics, type Vitals } from './worker-metrics.ts'

export type WorkerOptions = {
  /** Path of a YAML file, or the configuration itself; default `turnkeeper.config.yaml`. */
  readonly config?: string | object
  /** A list, or the path of a module whose default export is one; default: what the configuration names. */
  readonly agents?: readonly Agent[] | string
  /** Turns run at once; default: what the configuration says (50). */
  readonly concurrency?: number
}

/** What only the house itself sets: tests, and the test kit. */
export type WorkerSeams = {
  /** In place of the providers of the configuration. */
  readonly callModel?: CallModel
  /** Where `reload` gets the configuration from; default: the one that it has. */
  readonly load?: () => Promise<Config>
  /** What the steps of a turn are written through. */
  readonly journal?: (journal: Journal) => Journal
  /** How often the consumer is checked, in milliseconds; default 5,000. */
  readonly checkMs?: number
}

export type Worker = {
  /** Host, process id and a random part: stands in `turn.started`. */
  readonly id: string
  readonly redis: RedisOrigin
  readonly metricsUrl: string | undefined
  /**
   * Resolves when the worker is closed; an abort of `signal` closes it.
   * @throws TurnkeeperError `queue/deaf` when it hears no wake-up any more and cannot mend that: end the process then.
   */
  run(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Loads the configuration anew and takes up its models, routing, breakers and providers from the next model call on.
   * Resolves with whether it did; what is wrong changes nothing, and a log line says why.
   */
  reload(): Promise<boolean>
  /** Stops taking turns, hands running ones back at their next step, and resolves when all is closed. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const GRACE_MS = 20_000
/** What a consumer that hangs may take beyond that. */
const CLOSING_MS = 5_000
const REGISTERED_FOR_MS = 15_000
/** Beats in the length of a lock: four missed ones are noticed after 0.4 to 0.5 of it, long before the lock runs out. */
const BEATS_A_LOCK = 10

/**
 * Starts a worker; it works from the moment at which this resolves.
 * @throws TurnkeeperError of category `config`, or `queue/redis_unavailable`.
 */
export async function startWorker(
  config: Config,
  options: Omit<WorkerOptions, 'config'> & WorkerSeams = {},
): Promise<Worker> {
  const source = options.agents ?? config.agents
  if (source === undefined) {
    throw new TurnkeeperError(
      'invalid_config',
      'agents: expected a list or the path of a module that exports one',
    )
  }
  const agents = await loadAgents(source)
  const id = `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
  const opened = await openParts(config, id)
  try {
    return await work(config, {
      ...opened,
      id,
      agents,
      concurrency: options.concurrency ?? config.queue.concurrency,
      seams: options,
    })
  } catch (error) {
    await opened.close()
    throw error
  }
}

type Parts = {
  readonly telemetry: RunningTelemetry
  readonly backend: QueueBackend
  readonly models: ReloadableRuntime
  readonly active: Set<string>
  readonly vitals: Vitals
  close(): Promise<void>
}

async function openParts(config: Config, id: string): Promise<Parts> {
  const active = new Set<string>()
  const vitals: Vitals = { isDeaf: () => false }
  await using opening = new AsyncDisposableStack()
  const telemetry = opening.use(
    await createTelemetry({
      config: config.telemetry,
      metrics: config.metrics,
      service: 'worker',
      version: packageVersion(),
      instanceId: id,
      secrets: secretValues(config),
      health: () => {
        const isDeaf = vitals.isDeaf()
        const body = { status: isDeaf ? 'deaf' : 'ok', worker: id, activeTurns: active.size }
        return { status: isDeaf ? 503 : 200, body }
      },
    }),
  )
  const backend = await openBackend(config, { warn: (message) => telemetry.log.warn({}, message) })
  opening.defer(() => backend.close())
  const redis = { url: backend.server.url, command: backend.redis }
  const models = opening.use(
    await openReloadableRuntime(config, { ...redis, telemetry, fetchLists: true, probing: { send: true } }),
  )
  opening.use(streamOfConfig(config.telemetry, telemetry))
  const parts = opening.move()
  return { telemetry, backend, models, active, vitals, close: () => parts.disposeAsync() }
}

type WorkOptions = Parts & {
  readonly id: string
  readonly agents: ReadonlyMap<string, Agent>
  readonly concurrency: number
  readonly seams: WorkerSeams
}

async function work(config: Config, options: WorkOptions): Promise<Worker> {
  const { telemetry, backend, models, active, vitals, id, agents, concurrency, seams } = options
  const { queue } = config
  const leaving = new AbortController()
  const stopped = new AbortController()
  const census = startCensus({ backend, id })
  announceMetrics(telemetry, { agents, active, concurrency, queue: queue.name, vitals, census })

  const everyMs = queue.lockMs / BEATS_A_LOCK
  const heartbeat = await startHeartbeat({
    fleet: backend.fleet,
    worker: id,
    agents: [...agents.keys()],
    everyMs,
    ttlMs: Math.max(REGISTERED_FOR_MS, 5 * everyMs),
  }) // K1
  const leases = new Map<string, Lease>()
  const gauges = startQueueGauges({ backend, telemetry, queue: queue.name })
  const deafen = listenForCancels(backend, config.redis.prefix, leases)
  const reconciler = startReconciler({
    backend,
    intervalMs: queue.stalledCheckMs,
    log: telemetry.log,
    isGone: heartbeat.isGone,
  })
  const waiting = createWaitingTurns({
    canServe: ({ model, segment }) => models.waitFor(model, segment) === undefined,
    wake: (turnId) => backend.wakeQueue.wake(turnId),
  })
  const stopListening = models.onHealthChange(waiting.onChange)
  models.onReload(waiting.look)
  const handle = createWakeHandler({
    backend: {
      ...backend,
      journal: timedJournal(seams.journal?.(backend.journal) ?? backend.journal, telemetry),
    },
    agents,
    callModel: seams.callModel ?? callThrough(models),
    telemetry,
    worker: id,
    queue: queue.name,
    leaseMs: queue.lockMs,
    onWaiting: waiting.add,
    leases,
    isGone: heartbeat.isGone,
    leaving: leaving.signal,
    stopped: stopped.signal,
  })
  const closed = Promise.withResolvers<void>()
  const consumer = await openConsumer({
    open: (onSign) =>
      openWakeWorker(
        config,
        options,
        async (wakeUp) => {
          onSign()
          active.add(wakeUp.id)
          try {
            await handle(wakeUp)
          } finally {
            active.delete(wakeUp.id)
            onSign()
          }
        },
        onSign,
      ),
    isFull: () => active.size >= concurrency,
    answers: () =>
      backend.redis.ping().then(
        () => true,
        () => false,
      ),
    log: telemetry.log,
    onLost: closed.reject,
    ...(seams.checkMs !== undefined && { checkMs: seams.checkMs }),
  })
  for (const tool of largeTools(agents, config))
    telemetry.log.warn(tool, 'the schema of a tool is very large')
  vitals.isDeaf = consumer.isDeaf
  telemetry.log.info({ worker: id, agents: [...agents.keys()], concurrency }, 'worker started')

  closed.promise.catch(() => {}) // `run` tells it, if anybody has called it
  let left: Promise<void> | undefined
  const leave = async (): Promise<void> => {
    leaving.abort()
    stopListening()
    const grace = setTimeout(() => stopped.abort(), GRACE_MS)
    await consumer.close(GRACE_MS + CLOSING_MS)
    clearTimeout(grace)
    await heartbeat.close() // K2
    await reconciler.close()
    await gauges.close()
    await census.close()
    deafen()
    telemetry.log.info({ worker: id }, 'worker closed')
    await options.close()
  }
  const close = (): Promise<void> => {
    left ??= leave().then(closed.resolve)
    return left
  }
  return {
    id,
    redis: backend.server.origin,
    metricsUrl: telemetry.metricsUrl,
    async run({ signal } = {}) {
      const leaveNow = (): void => void close().catch(closed.reject)
      if (signal?.aborted) leaveNow()
      signal?.addEventListener('abort', leaveNow, { once: true })
      return closed.promise
    },
    reload: () => models.reload(seams.load ?? (async () => config)),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Cancels the turns of this worker that somebody asks to cancel; returns what ends the listening. */
function listenForCancels(
  backend: QueueBackend,
  prefix: string,
  leases: ReadonlyMap<string, Lease>,
): () => void {
  return backend.subscriptions.listen(globalKeys(prefix).control, (message) => {
    if (message === undefined) return // what was missed comes with the next renewal of a lease
    const { turnId, reason } = JSON.parse(message) as { turnId: string; reason: string }
    leases.get(turnId)?.cancel(reason)
  })
}

/** BullMQ's worker on a connection of its own, closed with it. */
async function openWakeWorker(
  { queue, redis }: Config,
  { backend, telemetry, concurrency }: WorkOptions,
  handle: WakeHandler,
  onFetched: () => void,
): Promise<WakeWorker> {
  const connection = await connectRedis(backend.server.url, { role: 'blocking' })
  const wakeWorker = await startWakeWorker({
    connection,
    name: queue.name,
    prefix: globalKeys(redis.prefix).bull,
    concurrency,
    lockMs: queue.lockMs,
    stalledCheckMs: queue.stalledCheckMs,
    handle,
    onFetched,
    onError: (error) => telemetry.log.warn({ err: error.message }, 'the queue reported an error'),
    onStalled: () => {
      telemetry.count('worker_jobs_stalled_total', { queue: queue.name })
      telemetry.log.warn({}, 'a worker of this queue was lost; its wake-up is delivered again')
    },
  })
  return {
    async close() {
      await wakeWorker.close().catch(() => {}) // Redis may be gone; leaving goes on all the same.
      await closeRedis(connection)
    },
  }
}
