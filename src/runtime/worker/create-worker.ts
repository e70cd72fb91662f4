import type { Config } from '../../config/config.ts'
import type { Worker, WorkerOptions } from './worker.ts'

/**
 * Loads the configuration and starts a worker; it works from the moment at which this resolves. What a worker needs is
 * loaded here and not with the library: a program that only enqueues needs little of it.
 * @throws TurnkeeperError of category `config`, or `queue/redis_unavailable`.
 */
export async function createWorker(options: WorkerOptions = {}): Promise<Worker> {
  const [{ loadConfig }, { startWorker }] = await Promise.all([
    import('../../config/load.ts'),
    import('./worker.ts'),
  ])
  const load = (): Promise<Config> => loadConfig(options.config)
  return startWorker(await load(), { ...options, load })
}
