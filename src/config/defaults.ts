const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const KIB = 1024
const MIB = 1024 * KIB

/** From the most words to the fewest. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** What a key that is not set means: the only place where the configuration's defaults stand. */
export const DEFAULTS = {
  fileName: 'turnkeeper.config.yaml',
  redis: { prefix: 'turnkeeper', durability: 'aof', replicas: 0, dataDir: '.turnkeeper/redis' },
  server: {
    host: '127.0.0.1',
    port: 8317,
    anonymous: ['health'],
    apiKey: { models: ['*'], admin: false },
  },
  metrics: { host: '127.0.0.1', port: 9464 },
  provider: {
    dialect: 'generic',
    enabled: true,
    models: { include: ['*'], exclude: [] },
    toolTurns: { stream: 'auto' },
    jsonMode: { fallback: true },
    parameters: { unknown: 'reject', defaults: { maxTokens: 4096 } },
  },
  http: { version: '1.1', connections: 256 },
  timeouts: {
    connectMs: 10 * SECOND,
    headersMs: 60 * SECOND,
    firstContentMs: 60 * SECOND,
    idleMs: 30 * SECOND,
    totalMs: 10 * MINUTE,
  },
  limits: { bodyBytes: 4 * MIB, eventBytes: MIB, toolArgumentBytes: 256 * KIB, toolSchemaBytes: 8 * KIB },
  strategy: 'first_healthy',
  credentialWeight: 1,
  mitigation: {
    warn: 0.02,
    critical: 0.05,
    windowMs: 10 * MINUTE,
    minAttempts: 20,
    holdMs: 15 * MINUTE,
  },
  breakers: {
    html: { over: 3, windowMs: 10 * MINUTE, openMs: 15 * MINUTE, maxMs: 2 * HOUR, minRatio: 0.01 },
    stall: { over: 2, windowMs: 10 * MINUTE, openMs: 10 * MINUTE, maxMs: 2 * HOUR, minRatio: 0.01 },
    errors: { ratio: 0.5, min: 20, windowMs: MINUTE, openMs: 30 * SECOND, maxMs: 15 * MINUTE, warn: 0.1 },
    auth: { over: 2, windowMs: 10 * MINUTE },
  },
  routing: {
    forceModelPrefix: false,
    retries: 1,
    maxAttempts: 4,
    backoff: { baseMs: 500, maxMs: 30 * SECOND },
    retryBudget: 0.1,
    cooldown: { defaultMs: MINUTE, maxMs: 15 * MINUTE },
  },
  probes: { enabled: true, ttlMs: 6 * HOUR, budgetUsdPerDay: 1 },
  queue: {
    name: 'turns',
    concurrency: 50,
    lockMs: 20 * SECOND,
    stalledCheckMs: 5 * SECOND,
    maxQueueAgeMs: 10 * MINUTE,
    resultTtlMs: 24 * HOUR,
    eventTtlMs: HOUR,
    tenant: { running: 100, queued: 10_000 },
  },
  recorder: {
    dir: '.turnkeeper/records',
    excerptBytes: 2 * KIB,
    rawBytes: 64 * KIB,
    keepMs: 7 * 24 * HOUR,
    sample: 0,
    request: 'never',
  },
  telemetry: { otlpMetrics: false, sampling: 1, captureContent: false, logLevel: 'info' },
} as const
