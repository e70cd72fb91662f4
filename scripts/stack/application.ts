import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { StackProcess } from './processes.ts'
import type { Programs } from './programs.ts'
import { freePort, type Site } from './site.ts'

/** Our own processes, and what they lean on. */
export type Application = {
  readonly configFile: string
  /** Variables with which another process (the command line, for one) joins in. */
  readonly env: Readonly<Record<string, string>>
  readonly simUrl: string
  readonly gatewayUrl: string
  /** Lets its bearer do everything. */
  readonly gatewayKey: string
  readonly gatewayMetrics: string
  readonly canaryMetrics: string
  readonly workers: readonly Worker[]
  /** Starts one more and resolves when it takes turns. */
  startWorker(): Promise<Worker>
}

/** A worker, and the `host:port` of its metrics. */
export type Worker = { readonly process: StackProcess; readonly metrics: string }

type Options = {
  readonly programs: Programs
  readonly deploy: string
  readonly configFile: string
  readonly env: Readonly<Record<string, string>>
  /** A duration between rounds of the canary; default as in the container. */
  readonly canaryEvery?: string | undefined
}

const WORKERS = 2
/** As in docker-compose.yml. */
export const CANARY_EVERY = '5m'
const CLI = resolve('bin/turnkeeper.cjs')

/** Starts Redis and the simulated upstream, then workers, the gateway and the canary on them. */
export async function startApplication(site: Site, options: Options): Promise<Application> {
  const { programs, deploy, configFile, canaryEvery = CANARY_EVERY } = options
  const redisUrl = await startRedis(site, { program: programs.redis, deploy })
  const sim = turnkeeper(site, 'sim', ['sim', '--port', '0'])
  const [, simUrl = ''] = await sim.line(/simulated upstream at (\S+)\/v1/)
  const gatewayKey = randomBytes(16).toString('hex')
  const env = {
    REDIS_URL: redisUrl,
    UPSTREAM_URL: simUrl,
    GATEWAY_PORT: '0',
    METRICS_PORT: '0',
    GATEWAY_KEY_SHA256: createHash('sha256').update(gatewayKey).digest('hex'),
    RECORDS_DIR: site.at('records'),
    ...options.env,
  }
  let born = 0
  const startWorker = async (): Promise<Worker> => {
    born += 1
    const process = turnkeeper(site, `worker-${born}`, ['worker', '--config', configFile], env)
    const [, metrics = ''] = await process.line(/takes turns; metrics at http:\/\/([^/]+)/)
    return { process, metrics }
  }
  const gateway = turnkeeper(site, 'gateway', ['serve', '--config', configFile], env)
  const serving = gateway.line(/serving at ([^;\s]+); metrics at http:\/\/([^/]+)/)
  const canary = turnkeeper(site, 'canary', ['canary', '--every', canaryEvery, '--config', configFile], env)
  const watching = canary.line(/canary runs .+; metrics at http:\/\/([^/]+)/)
  const workers = await Promise.all(Array.from({ length: WORKERS }, startWorker))
  const [, gatewayUrl = '', gatewayMetrics = ''] = await serving
  const [, canaryMetrics = ''] = await watching
  const metrics = { gatewayMetrics, canaryMetrics }
  return { configFile, env, simUrl, gatewayUrl, gatewayKey, ...metrics, workers, startWorker }
}

/** With the settings of the container, read from standard input as there, so that the password is in no file. */
async function startRedis(
  site: Site,
  { program, deploy }: { readonly program: string; readonly deploy: string },
): Promise<string> {
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  const settings = readFileSync(join(deploy, 'redis/redis.conf'), 'utf8').replace(/^dir .*$/m, '')
  const own = [`dir "${site.at('redis')}"`, `port ${port}`, 'bind 127.0.0.1', `requirepass ${password}`]
  const redis = site.start('redis', program, { args: ['-'], input: `${settings}\n${own.join('\n')}\n` })
  await redis.line(/Ready to accept connections/)
  return `redis://:${password}@127.0.0.1:${port}`
}

function turnkeeper(
  site: Site,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): StackProcess {
  return site.start(name, process.execPath, { args: [CLI, ...args], env })
}
