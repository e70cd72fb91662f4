import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RecorderConfig } from '../../../src/config/config.ts'
import { TurnkeeperError } from '../../../src/errors.ts'
import { type Evidence, keepEvidence } from '../../../src/providers/recorder/evidence.ts'
import { createRawFiles, readRecordLine } from '../../../src/providers/recorder/raw-files.ts'
import type { RecordLine } from '../../../src/providers/recorder/record.ts'
import { createRecordStore } from '../../../src/providers/recorder/record-store.ts'
import { createRecorder, type RecorderOptions } from '../../../src/providers/recorder/recorder.ts'
import type { AttemptReport } from '../../../src/providers/upstream.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import { createRedactor } from '../../../src/telemetry/redaction.ts'
import { startAnyRedis } from '../../redis-servers.ts'

const page =
  '<html><head><title>Attention\n Required! | Cloudflare</title></head><body>Ray ID: <code>8f2c3a4b5c6d7e8f</code></body></html>'

function evidenceOf(text: string, sizes = { rawBytes: 65_536, excerptBytes: 2048 }): Evidence {
  const keeper = keepEvidence(sizes)
  const body = '{"messages":[{"content":"my prompt"}]}'
  keeper.sent({
    method: 'POST',
    url: new URL('https://up.example/v1/chat/completions?api-version=1&key=s3cret-99'),
    headers: { authorization: 'Bearer abcdefgh', accept: 'application/json' },
    body,
  })
  keeper.headers(0)
  for (const [index, char] of [...(text.match(/[\s\S]{1,64}/g) ?? [])].entries()) {
    keeper.raw(Buffer.from(char), (index + 1) * 10)
    keeper.decoded(Buffer.from(char))
  }
  return keeper.evidence()!
}

function failedReport(text = page, more: Partial<AttemptReport> = {}): AttemptReport {
  return {
    route: 'up/m',
    outcome: 'failed',
    error: new TurnkeeperError('html_payload', 'the upstream answered 502 with an HTML page'),
    phase: 'before_content',
    streamed: true,
    status: 502,
    contentKind: 'html',
    responseHeaders: {
      server: 'cloudflare',
      'cf-ray': '8f2c3a4b5c6d7e8f-FRA',
      'x-generation-id': 'gen-1',
      'x-request-id': 'req_1',
      'set-cookie': ['a=1', 'b=2'],
      location: 'https://u:p@login.example/?token=abc&next=/',
    },
    usage: null,
    durationMs: 12.34,
    headersMs: 5,
    idleMs: 3,
    evidence: evidenceOf(text),
    ...more,
  }
}

describe('the recorder', () => {
  let server: RedisServer
  let redis: RedisConnection
  let dir: string
  let round = 0
  const counted: string[] = []
  const logged: string[] = []
  const telemetry: RecorderOptions['telemetry'] = {
    ...noTelemetry,
    count: (metric, { reason }) => void counted.push(`${metric} ${reason}`),
    carrier: () => ({ traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01' }),
    log: { ...noTelemetry.log, warn: (_fields, message) => void logged.push(message) },
  }

  beforeAll(async () => {
    server = await startAnyRedis()
    redis = await connectRedis(server.url)
  })
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })
  beforeEach(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'tk-records-')), 'records')
    counted.length = logged.length = 0
    round++
  })
  afterEach(() => rmSync(join(dir, '..'), { recursive: true, force: true }))

  function open(config: Partial<RecorderConfig> = {}, more: Partial<RecorderOptions> = {}) {
    return createRecorder({
      config: {
        ...{ dir, excerptBytes: 2048, rawBytes: 65_536, keepMs: 60_000, sample: 0, request: 'never' },
        ...config,
      },
      redis,
      prefix: `records${round}`,
      telemetry,
      redactor: createRedactor(['s3cret-99']),
      labelsOf: (route) => ({ route, provider: route.split('/')[0] ?? '' }),
      ...more,
    })
  }
  const lines = (): RecordLine[] =>
    readdirSync(dir).flatMap((name) =>
      readFileSync(join(dir, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as RecordLine),
    )

  test('keeps the whole story of a failed attempt, where any process finds it', async () => {
    const recorder = open()
    const after = { type: 'retry', from: 'up/m', reason: 'stall' }
    const id = recorder.record(failedReport(), { alias: 'coder', attempt: 2, after })
    await recorder.close()
    const record = await createRecordStore({ redis, prefix: `records${round}`, keepMs: 1 }).get(id ?? '')
    expect(record).toMatchObject({
      id,
      traceId: '0123456789abcdef0123456789abcdef',
      route: 'up/m',
      provider: 'up',
      outcome: 'failed',
      code: 'server/html_payload',
      request: {
        method: 'POST',
        url: 'https://up.example/v1/chat/completions?api-version=1&key=[redacted]',
        headers: { authorization: '[redacted]', accept: 'application/json' },
        sizeBytes: 38,
      },
      response: {
        status: 502,
        kind: 'html',
        sizeBytes: page.length,
        title: 'Attention Required! | Cloudflare',
        excerpt: page,
        requestIds: { 'cf-ray': '8f2c3a4b5c6d7e8f-FRA', 'x-generation-id': 'gen-1', 'x-request-id': 'req_1' },
        edge: { server: 'cloudflare', 'ray id on the page': '8f2c3a4b5c6d7e8f' },
        headers: {
          'set-cookie': ['[redacted]', '[redacted]'],
          location: 'https://[redacted]@login.example/?token=[redacted]&next=/',
        },
      },
      timings: { durationMs: 12.3, headersMs: 5, idleMs: 3, gapsMs: [10, 10], gapsOmitted: 0 },
      trail: { alias: 'coder', attempt: 2, after, streamed: true },
    })
    expect(JSON.stringify(record)).not.toContain('my prompt')
    const line = JSON.parse((await readRecordLine(record!.raw!)) ?? '{}') as RecordLine
    expect(Buffer.from(line.rawHead ?? '', 'base64').toString()).toBe(page)
    expect(line.id).toBe(id)
  })

  test('keeps what we sent only where that is configured, and only of a failure', async () => {
    const recorder = open({ request: 'failed', sample: 1 })
    recorder.record(failedReport(), { attempt: 1 })
    recorder.record(failedReport('{}', { outcome: 'ok' }), { attempt: 1 })
    await recorder.close()
    expect(lines().map(({ requestBody }) => requestBody?.includes('my prompt'))).toEqual([true, undefined])
    const [newest] = await recorder.list()
    expect(newest).not.toHaveProperty('requestBody')
  })

  test('C1: writes nothing for a good attempt outside the sample, nor for a cancelled one', async () => {
    const recorder = open({ sample: 0.5 }, { random: () => 0.5 })
    expect(recorder.record(failedReport('{}', { outcome: 'ok' }), { attempt: 1 })).toBeUndefined()
    expect(recorder.record(failedReport('{}', { outcome: 'cancelled' }), { attempt: 1 })).toBeUndefined()
    await recorder.close()
    expect(existsSync(dir)).toBe(false)
    const sampled = open({ sample: 0.5 }, { random: () => 0.49 })
    expect(sampled.record(failedReport('{}', { outcome: 'ok' }), { attempt: 1 })).toMatch(/^r-/)
    await sampled.close()
    expect(lines()).toHaveLength(1)
  })

  test('E1: keeps the first and the last bytes and gaps of a long answer, and says what is between', async () => {
    const text = Array.from({ length: 1000 }, (_, index) => String(index).padStart(64, '.')).join('')
    const recorder = open({ rawBytes: 1024, excerptBytes: 100 })
    const evidence = evidenceOf(text, { rawBytes: 1024, excerptBytes: 100 })
    recorder.record(failedReport(text, { evidence, contentKind: 'other' }), { attempt: 1 })
    await recorder.close()
    const [line] = lines()
    const head = Buffer.from(line?.rawHead ?? '', 'base64').toString()
    const tail = Buffer.from(line?.rawTail ?? '', 'base64').toString()
    expect(text.startsWith(head)).toBe(true)
    expect(text.endsWith(tail)).toBe(true)
    expect(head.length + tail.length).toBeLessThanOrEqual(1024 + 128)
    expect(head.length + tail.length + (line?.omittedBytes ?? 0)).toBe(64_000)
    expect(line?.response?.excerpt).toHaveLength(100)
    expect(line?.timings.gapsMs.length).toBe(256)
    expect(line?.timings.gapsOmitted).toBe(744)
  })

  test('C2: a full queue drops, counts and says so once', async () => {
    const recorder = open({}, { mostWaiting: 2 })
    const ids = Array.from({ length: 5 }, () => recorder.record(failedReport(), { attempt: 1 }))
    expect(ids.filter((id) => id !== undefined)).toHaveLength(2)
    expect(counted).toEqual(Array(3).fill('provider_raw_excerpt_missing_total queue_full'))
    expect(logged).toHaveLength(1)
    await recorder.close()
    expect(await recorder.list()).toHaveLength(2)
  })

  test('C2: a disk that refuses costs the raw bytes, not the excerpt', async () => {
    writeFileSync(join(dir, '..', 'records'), 'a file where the folder should be')
    const recorder = open()
    for (let i = 0; i < 3; i++) recorder.record(failedReport(), { attempt: 1 })
    await recorder.close()
    const records = await recorder.list()
    expect(records.map(({ raw, response }) => [raw, response?.excerpt])).toEqual(
      Array(3).fill([undefined, page]),
    )
    expect(counted).toEqual(Array(3).fill('provider_raw_excerpt_missing_total disk'))
    expect(logged).toHaveLength(1)
  })

  test('C2: without Redis the file still has the record', async () => {
    const away = await connectRedis(server.url)
    away.disconnect()
    const recorder = open({}, { redis: away })
    recorder.record(failedReport(), { attempt: 1 })
    recorder.record(failedReport(), { attempt: 2 })
    await recorder.close()
    expect(lines().map(({ response }) => response?.excerpt)).toEqual([page, page])
    expect(counted).toEqual(Array(2).fill('provider_raw_excerpt_missing_total redis'))
    expect(logged).toHaveLength(1)
  })

  test('lists by route and time, and lets the oldest go', async () => {
    const prefix = `records${round}`
    const store = createRecordStore({ redis, prefix, keepMs: 60_000, most: 3 })
    const recorder = open()
    for (const route of ['up/a', 'up/b', 'up/a', 'up/b', 'up/a']) {
      recorder.record(failedReport(page, { route }), { attempt: 1 })
    }
    await recorder.close()
    const all = await store.list()
    expect(all.map(({ route }) => route)).toEqual(['up/a', 'up/b', 'up/a', 'up/b', 'up/a'])
    expect(await store.list({ route: 'up/b' })).toHaveLength(2)
    expect(await store.list({ limit: 1 })).toEqual([all[0]])
    for (let i = 0; i < 4; i++) await store.put({ ...all[0]!, id: `r-new-${i}` })
    expect((await store.list()).map(({ id }) => id)).toEqual(['r-new-3', 'r-new-2', 'r-new-1'])
    expect(await redis.pttl(`{${prefix}:records}`)).toBeGreaterThan(0)
  })

  test('S2: nothing of a record outlives its time in Redis', async () => {
    const store = createRecordStore({ redis, prefix: `records${round}`, keepMs: 30 })
    const recorder = open({ keepMs: 30 })
    recorder.record(failedReport(), { attempt: 1 })
    await recorder.close()
    await expect.poll(() => store.list()).toEqual([])
    await expect.poll(() => redis.keys(`*records${round}:records*`)).toEqual([])
  })
})

describe('files of raw bytes', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tk-raw-'))
  })
  afterEach(() => {
    chmodSync(dir, 0o700)
    rmSync(dir, { recursive: true, force: true })
  })

  test('rotate by size, and keep each line findable', async () => {
    const files = createRawFiles({ dir, keepMs: 60_000, fileBytes: 50 })
    const places = []
    for (let i = 0; i < 5; i++) places.push(await files.append(`line ${i} ${'x'.repeat(20)}`))
    await files.close()
    expect(readdirSync(dir)).toHaveLength(3)
    expect(await readRecordLine(places[3]!)).toBe(`line 3 ${'x'.repeat(20)}`)
  })

  test('are removed when they are too old, and nothing else is', async () => {
    const old = join(dir, 'records-20200101T000000-1-abcdef.jsonl')
    const other = join(dir, 'notes.jsonl')
    for (const file of [old, other]) {
      writeFileSync(file, 'x')
      utimesSync(file, 0, 0)
    }
    const files = createRawFiles({ dir, keepMs: 60_000 })
    const place = await files.append('x')
    await files.close()
    expect(existsSync(old)).toBe(false)
    expect(existsSync(other)).toBe(true)
    rmSync(place.file)
    expect(await readRecordLine(place)).toBeUndefined()
  })

  test('F2: can be read by their owner alone', async () => {
    const files = createRawFiles({ dir: join(dir, 'deep'), keepMs: 60_000 })
    const { file } = await files.append('x')
    await files.close()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'deep')).mode & 0o777).toBe(0o700)
  })
})
