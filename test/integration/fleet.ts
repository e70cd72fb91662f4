import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import { openClient, type TurnClient } from '../../src/queue/client/client.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'

const CLI = fileURLToPath(new URL('../../bin/turnkeeper.cjs', import.meta.url))
const AGENTS = fileURLToPath(new URL('./fixtures/agents.ts', import.meta.url))

/** A process of the product, as a user would start it. */
export type Started = {
  readonly pid: number
  readonly child: ChildProcess
  /** Everything it has printed. */
  output(): string
  /** The first match of `pattern` in what it prints. */
  match(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends `signal` and resolves with the exit code when it has ended. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** Redis, a simulated upstream and a configuration, with as many processes on them as a test wants. */
export type Fleet = {
  readonly folder: string
  readonly configFile: string
  readonly redis: RedisServer
  readonly sim: Sim
  readonly client: TurnClient
  start(...args: readonly string[]): Started
  /** A worker that works: resolves with the address of its metrics page. */
  worker(): Promise<Started & { readonly metricsUrl: string }>
  close(): Promise<void>
}

/** `more` is merged over the configuration, section by section; `upstream` into that of the provider. */
export async function openFleet(more: Record<string, object> = {}, upstream: object = {}): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'tk-fleet-'))
  const redis = await startAnyRedis()
  const sim = await createSim()
  const config: Record<string, unknown> = {
    redis: { url: redis.url, durability: 'none' },
    server: { port: 0 },
    metrics: { port: 0 },
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1`, ...upstream } },
    models: { coder: { routes: ['sim/good'] } },
    // What the upstream gets is what the test sends.
    probes: { enabled: false },
    queue: { lock: '2s', stalledCheck: '500ms' },
    agents: AGENTS,
    ...more,
  }
  const configFile = join(folder, 'turnkeeper.config.yaml')
  writeFileSync(configFile, stringify(config))
  const client = await openClient(await loadConfig(configFile))
  const started: Started[] = []
  const start = (...args: readonly string[]): Started => {
    const process = startCli([...args, '--config', configFile], folder)
    started.push(process)
    return process
  }
  return {
    folder,
    configFile,
    redis,
    sim,
    client,
    start,
    async worker() {
      const process = start('worker')
      const [, metricsUrl = ''] = await process.match(/takes turns; metrics at (\S+)/)
      return { ...process, metricsUrl }
    },
    async close() {
      await Promise.all(started.map((process) => process.end('SIGKILL')))
      await client.close()
      await sim.close()
      await redis.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Runs `turnkeeper <args>` in `cwd`. */
export function startCli(args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): Started {
  return startNode([CLI, ...args], cwd, env)
}

/** Runs `node <args>` in `cwd`, without blocking what else this process serves. */
export function startNode(args: readonly string[], cwd: string, env = process.env): Started {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const looking = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const look of looking) look()
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    pid: child.pid as number,
    child,
    output: () => lines.join('\n'),
    async match(pattern) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
      const look = (): void => {
        const match = pattern.exec(lines.join('\n'))
        if (match) resolve(match)
      }
      void ended.then(() =>
        reject(new Error(`${args.join(' ')} ended before it said ${pattern}:\n${lines.join('\n')}`)),
      )
      looking.add(look)
      look()
      return promise.finally(() => looking.delete(look))
    },
    end(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      return ended
    },
  }
}
