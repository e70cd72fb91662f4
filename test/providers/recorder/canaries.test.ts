import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { secretValues } from '../../../src/config/describe.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { openProviderRuntime } from '../../../src/providers/runtime.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { createTelemetry } from '../../../src/telemetry/create.ts'
import type { Redactor } from '../../../src/telemetry/redaction.ts'
import { formsOfSecrets } from '../../../src/telemetry/secret-forms.ts'
import { startAnyRedis } from '../../redis-servers.ts'
import { captureLog } from '../../telemetry/log-capture.ts'
import { createOtlpReceiver } from '../../telemetry/otlp-receiver.ts'
import { serve } from '../upstream-server.ts'
import { CANARIES, giveBack, KEYS, PASSWORDS, REQUEST } from './canaries.ts'

const noRedaction: Redactor = { text: (text) => text, fields: (value) => value, isSecretName: () => false }

describe('40 canary secrets', () => {
  let server: RedisServer
  let command: RedisConnection
  let subscriber: RedisConnection
  let round = 0

  beforeAll(async () => {
    server = await startAnyRedis()
    command = await connectRedis(server.url)
    subscriber = await connectRedis(server.url, { role: 'subscriber' })
  })
  afterAll(async () => {
    await closeRedis(command)
    await closeRedis(subscriber)
    await server.close()
  })

  /** Every call of every provider fails; what each sink then holds, as text. */
  async function sinksAfterFailures(redactor?: Redactor): Promise<Record<string, string>> {
    const folder = mkdtempSync(join(tmpdir(), 'tk-canaries-'))
    await using upstream = await serve((response) => {
      const index = Number(/\/p(\d+)\//.exec(response.req.url ?? '')?.[1])
      giveBack(response, index)
    })
    const otlp = await createOtlpReceiver()
    const log = captureLog()
    const config = await loadConfig({
      redis: { prefix: `canaries${round++}`, url: `redis://u:${PASSWORDS[0]?.value}@127.0.0.1:1` },
      providers: Object.fromEntries(
        KEYS.map(({ value }, index) => [
          `p${index}`,
          {
            protocol: 'openai-chat',
            baseUrl: upstream.baseUrl.replace('/v1', `/p${index}/v1`),
            credentials: [{ id: 'main', apiKey: value }],
          },
        ]),
      ),
      models: Object.fromEntries(KEYS.map((_, index) => [`a${index}`, { routes: [`p${index}/m`] }])),
      routing: { retries: 0, maxAttempts: 1 },
      recorder: { dir: folder },
      telemetry: {
        otlpEndpoint: otlp.endpoint.replace('//', `//u:${PASSWORDS[1]?.value}@`),
        logLevel: 'debug',
      },
    })
    const telemetry = await createTelemetry({
      config: { ...config.telemetry, otlpEndpoint: otlp.endpoint },
      metrics: { host: '127.0.0.1', port: 0, explicit: true },
      service: 'test',
      version: '0',
      logStream: log.stream,
      secrets: secretValues(config),
      ...(redactor && { redactor }),
    })
    const runtime = await openProviderRuntime(config, {
      ...{ redis: { command, subscriber }, telemetry },
      ...(redactor && { redactor }),
    })
    const errors: unknown[] = []
    for (const [index] of KEYS.entries()) {
      const failed = await runtime
        .complete({ ...REQUEST, model: `a${index}` })
        .catch((error: unknown) => error)
      errors.push(failed)
      telemetry.log.error({ error: failed, key: KEYS[index]?.value }, 'the call failed')
    }
    expect(errors.every((error) => error instanceof Error)).toBe(true)
    const metrics = await (await fetch(telemetry.metricsUrl ?? '')).text()
    await runtime.close()
    await telemetry.close()
    const records = await command.hgetall(`{${config.redis.prefix}:records}`)
    expect(Object.keys(records)).toHaveLength(KEYS.length)
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    rmSync(folder, { recursive: true, force: true })
    await otlp.close()
    return {
      log: log.text(),
      spans: otlp.raw(),
      metrics,
      records: Object.values(records).join('\n'),
      files: files.join('\n'),
      'raw bytes': files.join('\n').split('\n').map(rawText).join('\n'),
      errors: inspect(errors, { depth: 12, maxStringLength: null }) + JSON.stringify(errors),
    }
  }

  const leaksIn = (sinks: Record<string, string>): string[] =>
    Object.entries(sinks).flatMap(([sink, text]) =>
      CANARIES.filter(({ value }) => formsOfSecrets([value]).some((form) => text.includes(form))).map(
        ({ name }) => `${name} in ${sink}`,
      ),
    )

  test('appear in no log, span, metric, record, file or error', async () => {
    expect(CANARIES).toHaveLength(40)
    expect(leaksIn(await sinksAfterFailures())).toEqual([])
  })

  test('are found by the same search where redaction is switched off', async () => {
    const leaks = leaksIn(await sinksAfterFailures(noRedaction))
    const found = new Set(leaks.map((leak) => leak.replace(/ in [^ ]+( bytes)?$/, '')))
    // What we sent is in no record even so: only the four words of it that nobody gave back stay unseen.
    expect(CANARIES.filter(({ name }) => !found.has(name)).map(({ value }) => value)).toEqual([
      'c4narywordassistant',
      'c4narywordresult',
      'c4narywordschema',
      'c4narywordstop',
    ])
    expect(leaks.filter((leak) => leak.endsWith('in log')).length).toBeGreaterThan(0)
    expect(leaks.filter((leak) => leak.endsWith('in raw bytes')).length).toBeGreaterThan(15)
  })
})

/** The raw bytes of a line as text, decompressed where they are gzip. */
function rawText(line: string): string {
  if (line === '') return ''
  const { rawHead = '', rawTail = '' } = JSON.parse(line) as { rawHead?: string; rawTail?: string }
  const head = Buffer.from(rawHead, 'base64')
  const plain = head[0] === 0x1f ? gunzipSync(head) : head
  return `${plain.toString('latin1')}\n${Buffer.from(rawTail, 'base64').toString('latin1')}`
}
