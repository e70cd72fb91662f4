import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'

type Service = {
  image: string
  build?: { context: string; dockerfile: string }
  user: string | number
  read_only: boolean
  cap_drop: string[]
  security_opt: string[]
  command?: string[]
  environment?: Record<string, string>
  healthcheck: { test: string[] }
  ports?: string[]
  profiles?: string[]
  secrets?: string[]
  volumes?: string[]
  networks?: string[]
  deploy: { replicas?: number; resources: { limits: { cpus: string; memory: string } } }
}
type Compose = {
  services: Record<string, Service>
  volumes: Record<string, unknown>
  secrets: Record<string, { environment: string }>
  networks: Record<string, { internal?: boolean }>
}

const compose = parse(readFileSync('deploy/docker-compose.yml', 'utf8'), { merge: true }) as Compose
const services = Object.entries(compose.services)

test('it has every part of the stack, the simulated upstream only where asked for', () => {
  expect(Object.keys(compose.services).sort()).toEqual([
    'alertmanager',
    'gateway',
    'gateway-door',
    'grafana',
    'prometheus',
    'redis',
    'sim',
    'tempo',
    'worker',
  ])
  expect(services.filter(([, { profiles }]) => profiles).map(([name]) => name)).toEqual(['sim'])
})

describe.each(services)('the service %s', (_name, service) => {
  test('runs as nobody of consequence on a file system that it cannot write', () => {
    expect(service.user).toMatch(/^(?!root|0)\w+$/)
    expect(service.read_only).toBe(true)
    expect(service.cap_drop).toEqual(['ALL'])
    expect(service.security_opt).toEqual(['no-new-privileges:true'])
  })

  test('has a health check and limits, and an image of a fixed version', () => {
    expect(service.healthcheck.test.length).toBeGreaterThan(1)
    expect(service.deploy.resources.limits.cpus).toMatch(/^[\d.]+$/)
    expect(service.deploy.resources.limits.memory).toMatch(/^\d+[MG]$/)
    expect(service.image).toMatch(service.build ? /^turnkeeper:local$/ : /:v?\d+\.\d+/)
  })

  test('mounts files that exist, read-only, and volumes and secrets that are declared', () => {
    for (const volume of service.volumes ?? []) {
      const [source = '', , mode] = volume.split(':')
      if (source.startsWith('.')) {
        expect(existsSync(join('deploy', source)) || isOfTheRules(source), source).toBe(true)
        expect(mode, volume).toBe('ro')
      } else expect(Object.keys(compose.volumes)).toContain(source)
    }
    for (const secret of service.secrets ?? []) expect(Object.keys(compose.secrets)).toContain(secret)
  })
})

test('only Grafana and the gateway are published, to this machine alone', () => {
  const published = services.filter(([, { ports }]) => ports).map(([name]) => name)
  expect(published.sort()).toEqual(['gateway', 'grafana'])
  for (const [, { ports = [] }] of services) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
})

test('Redis keeps everything, evicts nothing, asks for a password and has no way out', () => {
  const settings = new Map(
    readFileSync('deploy/redis/redis.conf', 'utf8')
      .split('\n')
      .filter((line) => /^[a-z]/.test(line))
      .map((line) => line.split(' ', 2) as [string, string]),
  )
  expect(settings.get('appendonly')).toBe('yes')
  expect(settings.get('maxmemory-policy')).toBe('noeviction')
  const redis = compose.services.redis as Service
  expect(redis.command?.join()).toContain('requirepass')
  expect(redis.networks).toEqual(['data'])
  expect(compose.networks.data).toEqual({ internal: true })
})

test('several workers run and are found by the name that Prometheus asks for', () => {
  const worker = compose.services.worker as Service & { container_name?: string }
  expect(worker.deploy.replicas).toBeGreaterThan(1)
  expect(worker.container_name).toBeUndefined()
  expect(worker.environment).toMatchObject({ METRICS_HOST: '0.0.0.0', METRICS_PORT: '9464' })
})

test('every secret is named in the example, and no value stands in the file', () => {
  const example = readFileSync('deploy/.env.example', 'utf8')
  for (const { environment } of Object.values(compose.secrets)) expect(example).toMatch(`\n${environment}=\n`)
  expect(readFileSync('.gitignore', 'utf8').split('\n')).toContain('.env')
  expect(readFileSync('.dockerignore', 'utf8').split('\n')).toContain('**/.env')
})

test('the configuration of the stack is accepted, as it is and with what compose sets', async () => {
  const file = 'deploy/turnkeeper/turnkeeper.config.yaml'
  expect((await loadConfig(file, { env: {} })).metrics).toMatchObject({ host: '127.0.0.1', port: 9464 })
  const worker = compose.services.worker as Service
  const config = await loadConfig(file, { env: asCompose(worker.environment, { REDIS_PASSWORD: 'x' }) })
  expect(config.redis.url).toBe('redis://:x@redis:6379')
  expect(config.metrics).toMatchObject({ host: '0.0.0.0', port: 9464 })
  expect(config.telemetry.otlpEndpoint).toBe('http://tempo:4318')
  expect(config.recorder.dir).toBe('/var/lib/turnkeeper/records')
})

test('the image is built in stages, from what the ignore file lets through, and runs as an ordinary user', () => {
  const lines = readFileSync('deploy/Dockerfile', 'utf8').split('\n')
  expect(lines.filter((line) => line.startsWith('FROM ')).length).toBeGreaterThan(1)
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))
  expect(last).toContain('USER node')
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n')
  const copied = lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
    .flatMap((line) => line.split(' ').slice(1, -1))
  for (const path of copied) {
    expect(existsSync(path), path).toBe(true)
    expect(ignored, path).not.toContain(path)
  }
})

/** The environment that a container gets: Compose replaces variables as a shell does. */
function asCompose(
  environment: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  const replace = (text: string): string =>
    text.replaceAll(/\$\{(\w+):[-?]([^}]*)\}/g, (_all, name: string, other: string) => env[name] ?? other)
  return Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, replace(text)]))
}

/** Rules and routes of alerts are written apart; the stack says what is missing where they are absent. */
function isOfTheRules(source: string): boolean {
  return /^\.\/(?:prometheus|alertmanager)\//.test(source) && !existsSync('deploy/prometheus')
}
