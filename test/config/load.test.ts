import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { TurnkeeperError } from '../../src/errors.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'turnkeeper-config-'))
})
afterEach(() => rm(dir, { recursive: true }))

const provider = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' }

async function errorOf(source: string | object | undefined, env = {}): Promise<TurnkeeperError> {
  const error: unknown = await loadConfig(source, { env, cwd: dir }).catch((caught: unknown) => caught)
  if (!(error instanceof TurnkeeperError)) throw new Error('expected a TurnkeeperError')
  return error
}

async function errorOfYaml(yaml: string, env = {}): Promise<TurnkeeperError> {
  await writeFile(join(dir, 'c.yaml'), yaml)
  return errorOf('c.yaml', env)
}

describe('what comes out', () => {
  test('an empty configuration is all defaults', async () => {
    const config = await loadConfig({}, { env: {}, cwd: dir })
    expect(config).toMatchObject({
      redis: { prefix: 'turnkeeper', durability: 'aof', dataDir: join(dir, '.turnkeeper/redis') },
      server: { host: '127.0.0.1', port: 8317 },
      metrics: { host: '127.0.0.1', port: 9464, explicit: false },
      breakers: {
        html: { over: 3, windowMs: 600_000, openMs: 900_000, maxMs: 7_200_000, minRatio: 0.01 },
        stall: { over: 2, openMs: 600_000 },
      },
      routing: { retries: 1, maxAttempts: 4, backoff: { baseMs: 500, maxMs: 30_000 } },
      probes: { enabled: true, ttlMs: 21_600_000, budgetUsdPerDay: 1 },
      queue: {
        name: 'turns',
        concurrency: 50,
        lockMs: 20_000,
        stalledCheckMs: 5000,
        resultTtlMs: 86_400_000,
      },
      recorder: {
        dir: join(dir, '.turnkeeper/records'),
        excerptBytes: 2048,
        rawBytes: 65_536,
        keepMs: 604_800_000,
        sample: 0,
        request: 'never',
      },
      telemetry: { otlpMetrics: false, sampling: 1, logLevel: 'info' },
    })
    expect(config.redis).not.toHaveProperty('url')
    expect(config.telemetry).not.toHaveProperty('otlpEndpoint')
    expect(config).not.toHaveProperty('agents')
  })

  test('every key that a file sets is found in the result, in the units of the names', async () => {
    await writeFile(
      join(dir, 'turnkeeper.config.yaml'),
      `
redis: { url: "\${REDIS_URL:-}", prefix: tk, durability: none, dataDir: data }
server: { host: localhost, port: 1 }
metrics: { host: 0.0.0.0, port: "\${METRICS_PORT}" }
providers:
  or:
    protocol: openai-chat
    dialect: openrouter
    enabled: false
    baseUrl: https://openrouter.ai/api/v1/
    credentials: [{ id: main, apiKey: "\${KEY}" }]
    toolTurns: { stream: true, routes: { z-ai/glm-4.6: false } }
    jsonMode: { fallback: false }
    parameters: { unknown: warn, defaults: { temperature: 0.5 } }
    http: { version: 2, connections: 7 }
    timeouts: { connect: 1s, headers: 2s, firstContent: 3s, idle: 4s, total: 5m }
    images: { allow: ["https://images.example/"] }
    limits: { bodyBytes: 1, eventBytes: 2, toolArgumentBytes: 3, toolSchemaBytes: 4 }
models:
  coder: { strategy: first_available, routes: [or/z-ai/glm-4.6, or/b] }
breakers:
  html: { over: 1, window: 1m, open: 2m, max: 3m, minRatio: 0.5 }
  stall: { over: 9, window: 4m, open: 5m, max: 6m, minRatio: 0 }
routing: { retries: 0, maxAttempts: 2, backoff: { base: 10ms, max: 20ms } }
probes: { enabled: false, ttl: 2h, budgetUsdPerDay: 0.25 }
queue: { name: q, concurrency: 3, lock: 1s, stalledCheck: 2s, resultTtl: 3s, eventTtl: 4s }
recorder: { dir: evidence, excerptBytes: 1, rawBytes: 2, keep: 3h, sample: 0.25, request: failed }
telemetry: { otlpEndpoint: "http://127.0.0.1:4318/", otlpMetrics: true, sampling: 0.5, logLevel: debug }
agents: ./agents.ts
`,
    )
    const env = { KEY: 'sk-real', METRICS_PORT: '9000' }
    const config = await loadConfig(undefined, { env, cwd: dir })
    expect(config).toMatchObject({
      redis: { prefix: 'tk', durability: 'none', dataDir: join(dir, 'data') },
      server: { host: 'localhost', port: 1 },
      metrics: { host: '0.0.0.0', port: 9000, explicit: true },
      providers: {
        or: {
          name: 'or',
          dialect: 'openrouter',
          enabled: false,
          baseUrl: 'https://openrouter.ai/api/v1',
          toolTurns: { stream: true, routes: { 'z-ai/glm-4.6': false } },
          jsonMode: { fallback: false },
          parameters: { unknown: 'warn', defaults: { maxTokens: 4096, temperature: 0.5 } },
          http: { version: '2', connections: 7 },
          timeouts: {
            connectMs: 1000,
            headersMs: 2000,
            firstContentMs: 3000,
            idleMs: 4000,
            totalMs: 300_000,
          },
          images: { allow: ['https://images.example'] },
          limits: { bodyBytes: 1, eventBytes: 2, toolArgumentBytes: 3, toolSchemaBytes: 4 },
        },
      },
      models: {
        coder: {
          alias: 'coder',
          strategy: 'first_available',
          routes: [
            { name: 'or/z-ai/glm-4.6', provider: 'or', model: 'z-ai/glm-4.6' },
            { name: 'or/b', provider: 'or', model: 'b' },
          ],
        },
      },
      breakers: {
        html: { over: 1, windowMs: 60_000, openMs: 120_000, maxMs: 180_000, minRatio: 0.5 },
        stall: { over: 9, windowMs: 240_000, openMs: 300_000, maxMs: 360_000, minRatio: 0 },
      },
      routing: { retries: 0, maxAttempts: 2, backoff: { baseMs: 10, maxMs: 20 } },
      probes: { enabled: false, ttlMs: 7_200_000, budgetUsdPerDay: 0.25 },
      queue: {
        name: 'q',
        concurrency: 3,
        lockMs: 1000,
        stalledCheckMs: 2000,
        resultTtlMs: 3000,
        eventTtlMs: 4000,
      },
      recorder: {
        dir: join(dir, 'evidence'),
        excerptBytes: 1,
        rawBytes: 2,
        keepMs: 10_800_000,
        sample: 0.25,
        request: 'failed',
      },
      telemetry: {
        otlpEndpoint: 'http://127.0.0.1:4318',
        otlpMetrics: true,
        sampling: 0.5,
        logLevel: 'debug',
      },
      agents: join(dir, 'agents.ts'),
    })
    const [credential] = config.providers.or?.credentials ?? []
    expect(credential && 'apiKey' in credential && credential.apiKey.reveal()).toBe('sk-real')
    expect(JSON.stringify(config)).not.toContain('sk-real')
  })

  test('credentials, weights, limits and rules of routing come as they are written', async () => {
    const oauth = { tokenFile: 'tokens.json', tokenUrl: 'https://login.example/token', clientId: 'cli' }
    const config = await loadConfig(
      {
        providers: {
          p: {
            ...provider,
            concurrency: 5,
            credentials: [
              { id: 'a', apiKey: 'k', weight: 3 },
              { id: 'b', oauth },
            ],
          },
        },
        models: { coder: { strategy: 'best_effort', routes: ['p/a', { route: 'p/b', weight: 2 }] } },
        breakers: {
          errors: { ratio: 0.4, min: 9, window: '1m', open: '2s', max: '3s', warn: 0.2 },
          auth: { over: 5, window: '2m' },
        },
        routing: { retryBudget: 0.5, cooldown: { default: '5s', max: '7s' } },
      },
      { env: {}, cwd: dir },
    )
    expect(config.providers.p).toMatchObject({
      concurrency: 5,
      credentials: [
        { id: 'a', weight: 3 },
        { id: 'b', weight: 1, oauth: { ...oauth, tokenFile: join(dir, 'tokens.json') } },
      ],
    })
    expect(config.models.coder).toMatchObject({
      strategy: 'best_effort',
      routes: [{ name: 'p/a' }, { name: 'p/b', weight: 2 }],
    })
    expect(config.breakers).toMatchObject({
      errors: { ratio: 0.4, min: 9, windowMs: 60_000, openMs: 2000, maxMs: 3000, warn: 0.2 },
      auth: { over: 5, windowMs: 120_000 },
    })
    expect(config.routing).toMatchObject({ retryBudget: 0.5, cooldown: { defaultMs: 5000, maxMs: 7000 } })
  })

  test('names that every object inherits are not found among providers and aliases', async () => {
    const { providers, models } = await loadConfig({}, { env: {} })
    expect(providers.constructor).toBeUndefined()
    expect(models.toString).toBeUndefined()
  })

  test('a provider may be local, without credentials, and sections may be empty', async () => {
    const raw = { server: null, models: null, providers: { local: { ...provider, timeouts: null } } }
    expect((await loadConfig(raw, { env: {} })).providers.local?.credentials).toEqual([])
  })

  test('a provider may be a local program, whose paths start from the configuration', async () => {
    const command = { binary: './bin/llama-cli', args: ['--threads', '4'], modelsDir: 'models' }
    const raw = { providers: { local: { protocol: 'llamacpp-cli', command } } }
    const { local } = (await loadConfig(raw, { env: {}, cwd: dir })).providers
    expect(local?.command).toEqual({
      binary: join(dir, 'bin/llama-cli'),
      args: ['--threads', '4'],
      modelsDir: join(dir, 'models'),
    })
    expect(local).not.toHaveProperty('baseUrl')
    const onPath = { local: { protocol: 'llamacpp-cli', command: { binary: 'llama-cli', modelsDir: '/m' } } }
    const named = await loadConfig({ providers: onPath }, { env: {}, cwd: dir })
    expect(named.providers.local?.command).toEqual({ binary: 'llama-cli', args: [], modelsDir: '/m' })
  })

  test('a value of the environment cannot change the structure', async () => {
    const env = { PREFIX: 'a", durability: "none' }
    expect((await errorOfYaml(`redis: { prefix: "\${PREFIX}" }`, env)).message).toContain('redis.prefix')
  })
})

test('tenants that are not named have the limits of default, and what one leaves out is as there', async () => {
  const { queue } = await loadConfig({
    queue: { maxQueueAge: '5s', tenants: { default: { running: 7 }, acme: { queued: 9 } } },
  })
  expect(queue.maxQueueAgeMs).toBe(5_000)
  expect({ ...queue.tenants }).toEqual({
    default: { running: 7, queued: 10_000 },
    acme: { running: 7, queued: 9 },
  })
  expect((await loadConfig({})).queue.tenants.default).toEqual({ running: 100, queued: 10_000 })
})

test.each(['redis+cluster://a:1,b:2', 'rediss+cluster://u:p@a,b', 'redis+sentinel://a:1,b:2/main'])(
  '%s is an address of a Redis',
  async (url) => {
    expect((await loadConfig({ redis: { url, durability: 'always' } })).redis).toMatchObject({
      url,
      replicas: 0,
    })
  },
)

describe('what is refused', () => {
  const withProvider = (fields: object) => ({ providers: { p: { ...provider, ...fields } } })
  const withRoutes = (...routes: unknown[]) => ({ providers: { p: provider }, models: { coder: { routes } } })

  test.each<[string, object, string]>([
    ['an unknown section', { reids: {} }, 'reids: unknown key, did you mean "redis"?'],
    ['a section that does nothing yet', { deploy: {} }, 'deploy: unknown key (known here: redis, server'],
    [
      'an unknown key deep inside',
      withProvider({ timeuots: {} }),
      'providers.p.timeuots: unknown key, did you mean "timeouts"?',
    ],
    ['a section that is no mapping', { redis: 3 }, 'redis: expected a mapping, got a number'],
    ['a Redis URL of another kind', { redis: { url: 'http://a' } }, 'redis.url: expected redis://'],
    ['an unknown durability', { redis: { durability: 'maybe' } }, 'expected aof, always, none, got "maybe"'],
    [
      'replicas that nobody waits for',
      { redis: { replicas: 1 } },
      'redis: expected "durability: always" beside "replicas"',
    ],
    [
      'a tenant that may run nothing',
      { queue: { tenants: { a: { running: 0 } } } },
      'a whole number from 1 up',
    ],
    [
      'a server open to the outside',
      { server: { host: '0.0.0.0' } },
      'without server.apiKeys nothing outside may reach the server',
    ],
    [
      'a port out of range',
      { metrics: { port: 70_000 } },
      'metrics.port: expected a whole number from 0 to 65535',
    ],
    ['a port that is no number', { server: { port: 'http' } }, 'server.port: expected a whole number'],
    [
      'a provider without protocol',
      { providers: { p: { baseUrl: 'http://a' } } },
      'providers.p.protocol: expected',
    ],
    [
      'a protocol that does not exist',
      withProvider({ protocol: 'gemini' }),
      'expected openai-chat, openai-responses, anthropic, ollama, llamacpp-cli, got "gemini"',
    ],
    [
      'an unknown dialect',
      withProvider({ dialect: 'vertex' }),
      'xai, llamacpp, ollama, generic, got "vertex"',
    ],
    [
      'a base URL that is none',
      withProvider({ baseUrl: 'localhost' }),
      'baseUrl: expected an http or https URL',
    ],
    ['a provider without base URL', withProvider({ baseUrl: undefined }), 'baseUrl: expected an http'],
    [
      'a command of a provider over HTTP',
      withProvider({ command: { binary: 'llama-cli', modelsDir: '/models' } }),
      'command: expected none but for protocol llamacpp-cli, got a mapping',
    ],
    [
      'a local process without command',
      { providers: { p: { protocol: 'llamacpp-cli' } } },
      'command: expected { binary, modelsDir }, got nothing',
    ],
    [
      'a local process with a base URL',
      withProvider({ protocol: 'llamacpp-cli', command: { binary: 'llama-cli', modelsDir: '/models' } }),
      'baseUrl: expected none for protocol llamacpp-cli',
    ],
    [
      'an unknown key of a command',
      { providers: { p: { protocol: 'llamacpp-cli', command: { binry: 'x', modelsDir: '/m' } } } },
      'command.binry: unknown key, did you mean "binary"?',
    ],
    [
      'a base URL with a password',
      withProvider({ baseUrl: 'http://u:hunter22@h' }),
      'without user, password',
    ],
    [
      'two credentials of one name',
      withProvider({
        credentials: [
          { id: 'a', apiKey: 'hunter22' },
          { id: 'a', apiKey: 'hunter22b' },
        ],
      }),
      'credentials: expected credentials with different ids',
    ],
    [
      'a credential of two kinds',
      withProvider({
        credentials: [
          { id: 'a', apiKey: 'hunter22', oauth: { tokenFile: 't', tokenUrl: 'http://a', clientId: 'c' } },
        ],
      }),
      'credentials[0]: expected either "apiKey" or "oauth"',
    ],
    ['no place at all', withProvider({ concurrency: 0 }), 'concurrency: expected a whole number from 1'],
    [
      'a weight of nothing',
      withRoutes({ route: 'p/a', weight: 0 }),
      'routes[0].weight: expected a whole number from 1 to 1000',
    ],
    ['an unknown key of a route', withRoutes({ route: 'p/a', wait: 1 }), 'routes[0].wait: unknown key'],
    [
      'a weight beside a strategy with an order of its own',
      {
        providers: { p: provider },
        models: { coder: { strategy: 'fastest', routes: [{ route: 'p/a', weight: 2 }] } },
      },
      'models.coder.routes[0].weight: "fastest" has an order of its own',
    ],
    ['a route twice, once with a weight', withRoutes('p/a', { route: 'p/a', weight: 2 }), 'twice'],
    ['a warning over the ratio', { breakers: { errors: { warn: 0.6 } } }, '"warn" not to be over "ratio"'],
    ['a budget below nothing', { probes: { budgetUsdPerDay: -1 } }, 'an amount in US dollars, from 0 up'],
    ['a cooldown upside down', { routing: { cooldown: { default: '1h' } } }, '"max" not to be shorter'],
    ['an empty key', withProvider({ credentials: [{ id: 'a', apiKey: '' }] }), 'a key that is not empty'],
    [
      'a key with a line break',
      withProvider({ credentials: [{ id: 'a', apiKey: 'hunter22\n' }] }),
      'line breaks',
    ],
    [
      'a duration without unit',
      withProvider({ timeouts: { idle: 30 } }),
      'timeouts.idle: expected a duration',
    ],
    ['a duration of nothing', { queue: { lock: '0s' } }, 'queue.lock: expected a duration'],
    [
      'a limit of nothing',
      withProvider({ limits: { bodyBytes: 0 } }),
      'limits.bodyBytes: expected a whole number',
    ],
    ['a provider name with a slash', { providers: { 'a/b': provider } }, 'providers.a/b: expected a name'],
    ['a provider named __proto__', JSON.parse('{"providers": {"__proto__": {}}}'), '__proto__: unknown key'],
    ['an alias without routes', withRoutes(), 'models.coder.routes: expected at least one route'],
    ['a route without provider', withRoutes('glm'), 'routes[0]: expected a route written provider/model'],
    ['a dangling route', withRoutes('q/glm'), 'routes[0]: no provider is named "q" (configured: p)'],
    [
      'a mistyped provider in a route',
      { providers: { openrouter: provider }, models: { coder: { routes: ['openruter/glm'] } } },
      'no provider is named "openruter", did you mean "openrouter"?',
    ],
    [
      'a route that is an alias',
      withRoutes('coder'),
      'expected a route written provider/model, got the alias coder',
    ],
    ['a route twice', withRoutes('p/a', 'p/a'), 'routes[1]: p/a stands in this list twice'],
    [
      'an alias that hides a route',
      { providers: { p: provider }, models: { 'p/a': { routes: ['p/b'] } } },
      'models.p/a: the alias would hide a route of the provider p',
    ],
    ['a breaker that opens for too long', { breakers: { html: { open: '3h' } } }, '"max" not to be shorter'],
    ['a ratio over 1', { breakers: { stall: { minRatio: 2 } } }, 'minRatio: expected a number from 0 to 1'],
    [
      'a backoff upside down',
      { routing: { backoff: { base: '1m' } } },
      '"max" not to be shorter than "base"',
    ],
    [
      'a sampling over 1',
      { telemetry: { sampling: 1.5 } },
      'telemetry.sampling: expected a number from 0 to 1',
    ],
    [
      'an unknown log level',
      { telemetry: { logLevel: 'loud' } },
      'expected debug, info, warn, error, got "loud"',
    ],
    ['a list as a whole', [], 'configuration: expected a mapping, got a list of 0'],
  ])('%s', async (_what, raw, expected) => {
    const error = await errorOf(raw)
    expect(error.code).toBe('config/invalid_config')
    expect(error.message).toContain(expected)
    expect(error.message).not.toContain('hunter22')
  })

  test('all problems come at once, one a line, under the name of the file', async () => {
    const error = await errorOfYaml('redis: { prefx: a }\nqueue: { lock: 3 }\nserver: { prot: 1 }\n')
    expect(error.message.split('\n')).toEqual([
      `${join(dir, 'c.yaml')}:`,
      'redis.prefx: unknown key, did you mean "prefix"?',
      'server.prot: unknown key, did you mean "port"?',
      expect.stringMatching(/^queue\.lock: expected a duration .*, got 3$/),
    ])
  })

  test('a missing variable is told by name and path, and has its own code', async () => {
    const raw = withProvider({ credentials: [{ id: 'a', apiKey: `\${OPENROUTER_API_KEY}` }] })
    const error = await errorOf(raw)
    expect(error.code).toBe('config/missing_variable')
    expect(error.message).toBe(
      'configuration: providers.p.credentials[0].apiKey: the variable OPENROUTER_API_KEY is not set',
    )
  })

  test('a value from the environment is never shown, wherever it stands', async () => {
    const error = await errorOf({ telemetry: { logLevel: `\${LEVEL}` } }, { LEVEL: 'hunter22' })
    expect(error.message).toContain('telemetry.logLevel: expected debug')
    expect(error.message).not.toContain('hunter22')
  })

  test('a key in the wrong place is not shown', async () => {
    const { message } = await errorOf({
      providers: { p: { ...provider, credentials: 'sk-hunter22' }, q: 'sk-hunter22' },
    })
    expect(message).toContain('providers.p.credentials: expected a list of { id, apiKey }')
    expect(message).toContain('providers.q: expected a mapping, got text of 11 characters')
    expect(message).not.toContain('hunter22')
  })
})

describe('the file', () => {
  test('without a file the error says which one to create', async () => {
    const { message } = await errorOf(undefined)
    expect(message).toContain(`create ${join(dir, 'turnkeeper.config.yaml')}`)
  })

  test('a named file that is missing is called by its name', async () => {
    expect((await errorOf('gone.yaml')).message).toBe(`${join(dir, 'gone.yaml')}: there is no such file`)
  })

  test.each([
    [
      'a key that stands twice',
      'redis:\n  prefix: a\n  prefix: b\n',
      'line 3, column 3: this key stands here twice',
    ],
    ['a tag', 'redis: !secret hunter22\n', 'line 1, column 8: tags are not allowed'],
    ['broken YAML', 'redis: { prefix: a\n', 'line '],
    ['text that is no YAML', 'redis: ["hunter22" "b"]\n', 'line 1'],
    ['two documents', '{}\n---\n{}\n', 'line '],
    ['too much of it', `# ${'x'.repeat(1024 * 1024)}`, 'at most 1 MiB'],
    [
      'an alias bomb',
      `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(20)}]\nc: [${'*b,'.repeat(20)}]\n`,
      'at most 100 uses of YAML aliases',
    ],
  ])('%s is refused without quoting it', async (_what, yaml, expected) => {
    const error = await errorOfYaml(yaml)
    expect(error.code).toBe('config/invalid_config')
    expect(error.message).toContain(expected)
    expect(error.message).not.toContain('hunter22')
  })

  test('an empty file is an empty configuration', async () => {
    await writeFile(join(dir, 'c.yaml'), '# nothing yet\n')
    expect((await loadConfig('c.yaml', { env: {}, cwd: dir })).queue.name).toBe('turns')
  })
})
