import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** The route whose upstream misbehaves during the demo. */
export const BAD_ROUTE = 'aggregator/glm-4.6'
export const BAD_MODEL = 'glm-4.6'
/** How it misbehaves: faults of the simulated upstream, the last one first. */
export const BAD_TIMES = [
  ['html', 5],
  ['cut:60', 2],
  ['stall:60', 2],
] as const
export const GOOD_MODELS = ['deepseek-v3.2', 'gpt-5-mini'] as const

/** Folder of the demo's files, below the repository; each run has its own, so that two at once do not meet. */
export const FOLDER = resolve(`.turnkeeper/demo-${process.pid}`)
export const CONFIG_FILE = `${FOLDER}/turnkeeper.config.yaml`

/**
 * Writes the configuration that all processes of the demo share. Timers are shortened, so that in a minute one sees
 * what takes a quarter of an hour in production; everything else is as a user would write it.
 */
export function writeConfig({ simUrl, prefix }: { simUrl: string; prefix: string }): void {
  mkdirSync(FOLDER, { recursive: true })
  const provider = (name: string): string => `
  ${name}:
    protocol: openai-chat
    baseUrl: ${simUrl}/v1
    credentials: [{ id: main, apiKey: not-a-real-key }]
    timeouts: { connect: 2s, headers: 3s, firstContent: 5s, idle: 1s, total: 30s }`
  writeFileSync(
    CONFIG_FILE,
    `# Written by the demo. Timers are shortened; see docs/configuration.md for the defaults.
redis: { prefix: ${prefix}, durability: none, dataDir: redis }
server: { port: 0 }
providers:${provider('aggregator')}${provider('vendor')}${provider('backup')}
models:
  coder:
    strategy: first_healthy
    routes: [${BAD_ROUTE}, vendor/${GOOD_MODELS[0]}, backup/${GOOD_MODELS[1]}]
breakers:
  html: { over: 3, window: 10m, open: 4s, max: 30s, minRatio: 0.01 }
  stall: { over: 4, window: 10m, open: 4s, max: 30s, minRatio: 0.01 }
routing: { backoff: { base: 50ms, max: 1s } }
probes: { enabled: false } # what the upstream gets here is the work itself
queue: { concurrency: 4, lock: 6s, stalledCheck: 2s, resultTtl: 1h, eventTtl: 1h }
telemetry: { logLevel: warn }
agents: ../../examples/demo/agents.ts
`,
  )
}
