import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CANARY_EVERY } from '../../scripts/stack/application.ts'
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
type Webhook = {
  url: string
  http_config?: { authorization: { credentials_file: string } }
}
type Scraping = { scrape_configs: { job_name: string; dns_sd_configs?: object[] }[] }
type Alertmanager = { receivers: { name: string; webhook_configs?: Webhook[] }[] }
type Compose = {
  services: Record<string, Service>
  volumes: Record<string, unknown>
  secrets: Record<string, { environment: string }>
  networks: Record<string, { internal?: boolean }>
}

const CONFIG = 'deploy/turnkeeper/turnkeeper.config.yaml'
/** As they would stand in deploy/.env. */
const VALUES = {
  REDIS_PASSWORD: 'x',
  GATEWAY_KEY_SHA256: 'c'.repeat(64),
  MITIGATION_TOKEN: 'the-token-of-alerts',
}
const compose = parse(readFileSync('deploy/docker-compose.yml', 'utf8'), { merge: true }) as Compose
const services = Object.entries(compose.services)

test('it has every part of the stack, the simulated upstream only where asked for', () => {
  expect(Object.keys(compose.services).sort()).toEqual([
    'alertmanager',
    'canary',
    'gateway',
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

test('the gateway is reached from other containers: by clients with a key, by Alertmanager with its token', async () => {
  const { environment, ports } = compose.services.gateway as Service
  const { server } = await loadConfig(CONFIG, { env: asCompose(environment, VALUES) })
  expect(server).toMatchObject({ host: '0.0.0.0', port: 8317, anonymous: ['health'] })
  expect(server.apiKeys).toMatchObject([{ sha256: VALUES.GATEWAY_KEY_SHA256, admin: true }])
  expect(server.alertToken?.reveal()).toBe(VALUES.MITIGATION_TOKEN)
  expect(ports).toEqual([`127.0.0.1:${server.port}:${server.port}`])

  const { receivers } = parse(readFileSync('deploy/alertmanager/alertmanager.yml', 'utf8')) as Alertmanager
  const [webhook] = receivers.find(({ name }) => name === 'mitigation')?.webhook_configs ?? []
  expect(webhook?.url).toBe(`http://gateway:${server.port}/v1/mitigations`)
  expect(webhook?.http_config?.authorization.credentials_file).toBe('/run/secrets/mitigation_token')
  expect(compose.services.alertmanager?.secrets).toContain('mitigation_token')
  expect(compose.secrets.mitigation_token).toEqual({ environment: 'MITIGATION_TOKEN' })
})

test('with no key set the gateway lets nobody in', async () => {
  const { server } = await loadConfig(CONFIG, { env: {} })
  expect(server.apiKeys.map(({ sha256 }) => sha256)).toEqual(['0'.repeat(64)])
})

test('commands of runbooks find the program and the configuration in a container', () => {
  const image = readFileSync('deploy/Dockerfile', 'utf8')
  expect(image).toMatch(/^ENV PATH="\/app\/node_modules\/\.bin:\$PATH"$/m)
  expect(image).toMatch(/^WORKDIR \/app\/stack\nCOPY deploy\/turnkeeper \.\/$/m)
  for (const name of ['worker', 'gateway', 'canary'])
    expect(compose.services[name]?.command).not.toContain('--config')
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

test('the canary is scraped as a job of its own, which counts as no worker', () => {
  const canary = compose.services.canary as Service
  expect(canary.command?.slice(0, 2)).toEqual(['canary', '--every'])
  expect(canary.environment).toMatchObject({ METRICS_HOST: '0.0.0.0', METRICS_PORT: '9464' })
  const { scrape_configs: jobs } = parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')) as Scraping
  const job = jobs.find(({ job_name }) => job_name === 'canary')
  expect(job?.dns_sd_configs).toMatchObject([{ names: ['canary'], port: 9464 }])
})

test('the stack of this machine starts a canary as often as the containers do', () => {
  expect(compose.services.canary?.command).toEqual(['canary', '--every', CANARY_EVERY])
})

test('every secret is named in the example, and no value stands in the file', () => {
  const example = readFileSync('deploy/.env.example', 'utf8')
  const needed = [...readFileSync('deploy/docker-compose.yml', 'utf8').matchAll(/\$\{(\w+):\?/g)].map(
    ([, name]) => name,
  )
  expect(needed).toContain('GATEWAY_KEY_SHA256')
  for (const name of [...needed, ...Object.values(compose.secrets).map(({ environment }) => environment)])
    expect(example).toMatch(`\n${name}=\n`)
  expect(readFileSync('.gitignore', 'utf8').split('\n')).toContain('.env')
  expect(readFileSync('.dockerignore', 'utf8').split('\n')).toContain('**/.env')
})

test('the configuration of the stack is accepted, as it is and with what compose sets', async () => {
  expect((await loadConfig(CONFIG, { env: {} })).metrics).toMatchObject({ host: '127.0.0.1', port: 9464 })
  const worker = compose.services.worker as Service
  const config = await loadConfig(CONFIG, { env: asCompose(worker.environment, VALUES) })
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
