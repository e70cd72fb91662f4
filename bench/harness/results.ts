import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Group, GroupName } from './group.ts'
import type { Row } from './statistics.ts'

const FOLDER = fileURLToPath(new URL('../results', import.meta.url))
const MODULES = [
  new URL('../node_modules/', import.meta.url),
  new URL('../../node_modules/', import.meta.url),
]

type Results = { readonly rows: readonly Row[]; readonly repeats: number; readonly chart: string }

/** What stands in `bench/results/<group>.json`. */
export type SavedResults = Pick<Group, 'name' | 'title' | 'floor' | 'goals'> & {
  /** When the run ended, as an ISO date. */
  readonly at: string
  readonly commit: string
  readonly repeats: number
  readonly cpu: string
  readonly memoryGb: number
  /** Load averages of 1, 5 and 15 minutes at the end of the run. */
  readonly load: readonly number[]
  readonly versions: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
}

/** Keeps the figures of a group with what one needs to judge them, and its chart. */
export function saveResults(group: Group, { rows, repeats, chart }: Results): void {
  const { name, title, floor, goals } = group
  mkdirSync(FOLDER, { recursive: true })
  const saved: SavedResults = {
    ...{ name, title, floor },
    at: new Date().toISOString(),
    commit: commit(),
    repeats,
    ...machine(),
    versions: versions(),
    goals,
    rows,
  }
  writeFileSync(`${FOLDER}/${name}.json`, `${JSON.stringify(saved, null, 2)}\n`)
  writeFileSync(`${FOLDER}/${name}.svg`, chart)
}

/** The figures of the last whole run of a group; undefined where there was none. */
export function readResults(name: GroupName): SavedResults | undefined {
  const file = `${FOLDER}/${name}.json`
  if (!existsSync(file)) return undefined
  return JSON.parse(readFileSync(file, 'utf8')) as SavedResults // written above
}

function machine(): Pick<SavedResults, 'cpu' | 'memoryGb' | 'load'> {
  const [cpu] = cpus()
  return {
    cpu: `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    load: loadavg().map((value) => Number(value.toFixed(2))),
  }
}

/** The commit that was measured, with a + where files had been changed since. */
function commit(): string {
  const git = (...args: string[]): string => spawnSync('git', args, { encoding: 'utf8' }).stdout?.trim() ?? ''
  return (
    git('rev-parse', '--short', 'HEAD') +
    (git('status', '--porcelain', '--', '../src', 'src') === '' ? '' : '+')
  )
}

/** Versions of node, Redis and of every package that stands in one of the two manifests and is measured. */
function versions(): Record<string, string> {
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout ?? ''
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const own = ['undici', 'bullmq', 'ioredis', 'eventsource-parser', '@opentelemetry/sdk-trace', 'pino', 'zod']
  return {
    node: process.versions.node,
    redis: /v=(\S+)/.exec(redis)?.[1] ?? 'none',
    ...manifest.dependencies,
    ...Object.fromEntries(own.map((name) => [name, versionOf(name)])),
  }
}

function versionOf(name: string): string {
  for (const folder of MODULES) {
    if (!readdirSync(folder).includes(name.split('/', 1)[0] ?? '')) continue
    try {
      return (
        JSON.parse(readFileSync(new URL(`${name}/package.json`, folder), 'utf8')) as { version: string }
      ).version
    } catch {
      // It is in the other folder.
    }
  }
  return 'none'
}
