import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

/** Rooms, and what each may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  config: ['errors'],
  redis: ['errors', 'config'],
  telemetry: ['errors', 'config'],
  providers: ['errors', 'config', 'redis', 'telemetry'],
  queue: ['errors', 'config', 'redis', 'telemetry'],
  runtime: ['errors', 'config', 'redis', 'telemetry', 'providers', 'queue'],
  gateway: ['errors', 'config', 'redis', 'telemetry', 'providers', 'queue', 'runtime'],
  cli: ['errors', 'config', 'redis', 'telemetry', 'providers', 'queue', 'runtime', 'gateway'],
  index: ['errors', 'config', 'redis', 'telemetry', 'providers', 'queue', 'runtime', 'gateway'],
}

/** Packages with a sole importer, as a path prefix below `src/`. */
const SOLE_IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  ioredis: ['redis/'],
  'js-redis-server': ['redis/embedded.ts'],
  bullmq: ['queue/bullmq.ts'],
  undici: ['providers/http.ts', 'providers/sim/'],
  fastify: ['gateway/', 'providers/sim/'],
  pino: ['telemetry/'],
  '@opentelemetry/api': ['telemetry/'],
  '@opentelemetry/sdk-trace': ['telemetry/traces/'],
  '@opentelemetry/sdk-metrics': ['telemetry/metrics/'],
  '@opentelemetry/exporter-metrics-otlp-http': ['telemetry/metrics/export.ts'],
  '@opentelemetry/exporter-trace-otlp-http': ['telemetry/traces/export.ts'],
  '@opentelemetry/resources': ['telemetry/otlp.ts'],
  '@opentelemetry/context-async-hooks': ['telemetry/traces/shared-context.ts'],
  commander: ['cli/'],
}

const files = sourceFiles('src')
const imports = new Map(files.map((file) => [file, importsOf(file)]))

test('a room imports only the rooms below it', () => {
  const trespasses = files.flatMap((file) =>
    localImports(file)
      .filter(
        (target) => roomOf(target) !== roomOf(file) && !MAY_IMPORT[roomOf(file)]?.includes(roomOf(target)),
      )
      .map((target) => `${file} imports ${target}`),
  )
  expect(trespasses).toEqual([])
})

test('every room has a place in the order', () => {
  expect(files.map(roomOf).filter((room) => !(room in MAY_IMPORT))).toEqual([])
})

test('each guarded package is imported in its own room alone', () => {
  const trespasses = files.flatMap((file) =>
    (imports.get(file) ?? [])
      .filter((name) =>
        SOLE_IMPORTERS[packageOf(name)]?.every((place) => !`${file.slice(4)}`.startsWith(place)),
      )
      .map((name) => `${file} imports ${name}`),
  )
  expect(trespasses).toEqual([])
})

test('no file reaches itself through its imports', () => {
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      return
    }
    if (done.has(file)) return
    for (const target of localImports(file)) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  expect(cycles).toEqual([])
})

test('only index.ts exports what other files define', () => {
  const barrels = files.filter(
    (file) =>
      !/^src\/(index|testing)\.ts$/.test(file) && /^export .* from /m.test(readFileSync(file, 'utf8')),
  )
  expect(barrels).toEqual([])
})

test('imports name their file with its ending', () => {
  const bare = files.flatMap((file) =>
    (imports.get(file) ?? [])
      .filter((name) => name.startsWith('.') && !name.endsWith('.ts'))
      .map((name) => `${file}: ${name}`),
  )
  expect(bare).toEqual([])
})

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .sort()
}

function importsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8')
  const statements = source.matchAll(
    /(?:^(?:import|export)\b[^'"]*?from\s*|^import\s*|\bimport\()\s*['"]([^'"]+)['"]/gm,
  )
  return [...statements].map((match) => match[1] as string)
}

function localImports(file: string): string[] {
  return (imports.get(file) ?? [])
    .filter((name) => name.startsWith('.'))
    .map((name) => relative('.', join(dirname(file), name)))
    .filter((target) => imports.has(target))
}

/** `src/queue/lua/x.ts` → `queue`, `src/errors.ts` → `errors`. */
function roomOf(file: string): string {
  const [, room = ''] = file.split('/')
  return room.replace(/\.ts$/, '').replace(/^testing$/, 'index')
}

function packageOf(name: string): string {
  return name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] as string)
}
