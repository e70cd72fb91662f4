/** A whole Turnkeeper in one process, for users' own tests: no service, no key, nothing left behind. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { createSim, type Sim } from '../providers/sim/sim.ts'
import type { ModelRequest } from '../providers/types.ts'
import { openClient, type TurnClient } from '../queue/client/client.ts'
import { openRedis, type RedisServer } from '../redis/embedded.ts'
import type { Agent } from '../runtime/agent.ts'
import { startWorker } from '../runtime/worker/worker.ts'
import { createFaults, type LostWorker } from './faults.ts'
import { type Scripted, scriptedModel } from './scripted-model.ts'

export type TestKitOptions = {
  readonly agents: readonly Agent[]
  /** What the model answers, call by call; without it, the simulated upstream answers for every model. */
  readonly script?: readonly Scripted[]
  /** Turns run at once; default 10. */
  readonly concurrency?: number
}

export type TestKit = {
  readonly client: TurnClient
  /** The simulated upstream, for its faults and its log; absent with a script. */
  readonly sim: Sim | undefined
  /** What the scripted model was asked, in order. */
  readonly requests: readonly ModelRequest[]
  /** Plans the loss of the worker at a step; the turn goes on about a second later. */
  loseWorker(fault: LostWorker): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a queue, a worker and a client: the scripts of production on an in-process Redis.
 * @throws TurnkeeperError of category `config`.
 */
export async function createTestKit(options: TestKitOptions): Promise<TestKit> {
  const { agents, script, concurrency = 10 } = options
  await using opening = new AsyncDisposableStack()
  const redis = opening.use(await startRedis())
  const sim = script === undefined ? opening.use(await createSim()) : undefined
  const config = await loadConfig({
    redis: { url: redis.url, durability: 'none', prefix: 'test' },
    metrics: { port: 0 },
    telemetry: { logLevel: 'error' },
    ...(sim && {
      providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
      probes: { enabled: false }, // what a test counts is its own
      models: Object.fromEntries(agents.map(({ model }) => [model, { routes: ['sim/any-model'] }])),
    }),
  })
  const model = scriptedModel(...(script ?? []))
  const faults = createFaults()
  const seams = { journal: faults.around, ...(script && { callModel: model.call }) }
  const client = opening.use(await openClient(config))
  // The in-process Redis keeps the timer of a pop whose client has left (js-redis-server 0.3.0), for up to 10 s, and
  // with it the process; a last wake-up ends the pop.
  opening.defer(() => client.enqueue('nobody', { input: 'the worker has left' }).then(ignore, ignore))
  opening.use(await startWorker(config, { agents, concurrency, ...seams }))
  const parts = opening.move()
  const close = (): Promise<void> => parts.disposeAsync()
  return {
    client,
    sim,
    requests: model.requests,
    loseWorker: faults.loseWorker,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function ignore(): void {}

/** The in-process Redis, whatever is installed: a test must not depend on it. */
async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeeper-kit-'))
  const server = await openRedis({ dataDir: join(folder, 'redis'), durability: 'none', env: { PATH: '' } })
  const close = async (): Promise<void> => {
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { ...server, close, [Symbol.asyncDispose]: close }
}
