/** One worker on a Redis of its own, and a way to give it turns from another process. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const ENQUEUE = fileURLToPath(new URL('enqueue.ts', import.meta.url))

/** How one thousand bytes of input look. */
export const INPUT = 'What is the weather in Prague today? '.padEnd(1024, '.')

export type Order = {
  readonly redisUrl: string
  /** `turns` of Turnkeeper, or `jobs` of BullMQ. */
  readonly kind: 'turns' | 'jobs'
  readonly count: number
}

/** The configuration that workers and clients share. */
export function configOf(redisUrl: string, url = 'http://127.0.0.1:9'): object {
  return {
    redis: { url: redisUrl, durability: 'none' },
    metrics: { port: 0 },
    telemetry: { logLevel: 'error' },
    queue: { tenants: { default: { running: 1000, queued: 100_000 } } },
    providers: {
      main: {
        ...{ protocol: 'openai-chat', baseUrl: `${url}/v1`, toolTurns: { stream: false } },
        credentials: [{ id: 'main', apiKey: 'sk-none-0123456789abcdef' }],
      },
    },
    models: {
      json: { routes: ['main/json', 'main/spare'] },
      tools: { routes: ['main/tools', 'main/spare'] },
    },
  }
}

/** Lets another process add `count` units of work; resolves when all have been accepted. */
export async function enqueueElsewhere(order: Order): Promise<void> {
  const args = ['--disable-warning=ExperimentalWarning', ENQUEUE, JSON.stringify(order)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [status] = await once(child, 'exit')
  if (status !== 0) throw new Error(`enqueueing ended with ${status}`)
}

/** Resolves when `read` has come to `count`, looking every 10 ms. */
export async function untilDone(read: () => number, count: number): Promise<void> {
  while (read() < count) await new Promise((resolve) => setTimeout(resolve, 10))
}
