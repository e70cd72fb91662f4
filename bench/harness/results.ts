import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Group } from './group.ts'
import type { Row } from './statistics.ts'

const FOLDER = fileURLToPath(new URL('../results', import.meta.url))
const MODULES = [
  new URL('../node_modules/', import.meta.url),
  new URL('../../node_modules/', import.meta.url),
]

type Results = { readonly rows: readonly Row[]; readonly repeats: number; readonly chart: string }

/** Keeps the figures of a group with what one needs to judge them, and its chart. */
export function saveResults({ name, title, goals }: Group, { rows, repeats, chart }: Results): void {
  mkdirSync(FOLDER, { recursive: true })
  const about = {
    at: new Date().toISOString(),
    commit: commit(),
    repeats,
    ...machine(),
    versions: versions(),
  }
  writeFileSync(
    `${FOLDER}/${name}.json`,
    `${JSON.stringify({ name, title, ...about, goals, rows }, null, 2)}\n`,
  )
  writeFileSync(`${FOLDER}/${name}.svg`, chart)
}

function machine(): object {
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
