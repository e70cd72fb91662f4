/** A chain over three protocols: OpenAI's Responses, OpenRouter's chat completions, Ollama's own. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { AttemptSummary, TurnkeeperError } from '../../src/errors.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { ModelRequest, StreamPart } from '../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { serve, type UpstreamServer } from '../providers/upstream-server.ts'
import { startAnyRedis } from '../redis-servers.ts'

const QUOTA = {
  error: {
    message: 'You exceeded your current quota, please check your plan and billing details.',
    type: 'insufficient_quota',
    code: 'insufficient_quota',
  },
}
/** Not streamed: a turn with tools of a provider that does not stream those. */
const tools = [{ name: 'look', description: 'looks', inputSchema: { type: 'object', properties: {} } }]

describe('a chain over three protocols', () => {
  let sim: Sim
  let server: RedisServer
  let command: RedisConnection
  let subscriber: RedisConnection
  let openai: UpstreamServer
  let runtime: ProviderRuntime
  let count = 0
  const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
    model: 'coder',
    messages: [{ role: 'user', content: 'Say hello.' }],
    ...more,
  })
  const collect = async (asked: ModelRequest): Promise<StreamPart[]> => {
    const parts: StreamPart[] = []
    for await (const part of runtime.stream(asked)) parts.push(part)
    return parts
  }
  const told = (attempts: readonly AttemptSummary[] = []) =>
    attempts.map(({ route, code = 'ok' }) => `${route} ${code}`)

  beforeAll(async () => {
    sim = await createSim()
    server = await startAnyRedis()
    command = await connectRedis(server.url)
    subscriber = await connectRedis(server.url, { role: 'subscriber' })
  })
  afterAll(async () => {
    await closeRedis(command)
    await closeRedis(subscriber)
    await server.close()
    await sim.close()
  })
  beforeEach(async () => {
    openai = await serve((response) =>
      response.writeHead(429, { 'content-type': 'application/json' }).end(JSON.stringify(QUOTA)),
    )
    const provider = (protocol: string, baseUrl: string, more: object = {}) => ({
      ...{ protocol, baseUrl, toolTurns: { stream: false } },
      ...more,
    })
    const config = await loadConfig({
      redis: { prefix: `chain${count++}` },
      providers: {
        openai: provider('openai-responses', openai.baseUrl, {
          dialect: 'openai',
          credentials: [{ id: 'main', apiKey: 'k3y-of-openai' }],
        }),
        openrouter: provider('openai-chat', `http://127.0.0.1:${await closedPort()}/api/v1`, {
          dialect: 'openrouter',
          credentials: [{ id: 'main', apiKey: 'k3y-of-openrouter' }],
        }),
        ollama: provider('ollama', sim.url, { dialect: 'ollama' }),
      },
      models: {
        coder: { routes: ['openai/gpt-5-mini', 'openrouter/z-ai/glm-4.6', 'ollama/qwen3'] },
      },
      routing: { backoff: { base: '1ms', max: '10ms' } },
    })
    runtime = await openProviderRuntime(config, { redis: { command, subscriber } })
  })
  afterEach(async () => {
    sim.clear()
    await runtime.close()
    await openai[Symbol.asyncDispose]()
  })

  test.each([
    ['streamed', {}, true],
    ['not streamed', { tools }, false],
  ] as const)(
    'falls through on quota, then on a server that is down, and answers from the third, %s',
    async (_way, more, isStreamed) => {
      const parts: StreamPart[] = []
      const outcome = await runtime.run(request(more), (part) => parts.push(part))
      const decisions = outcome.decisions.map(
        ({ type, from, to, reason }) => `${type} ${from} ${to} ${reason}`,
      )
      expect(outcome).toMatchObject({ outcome: 'ok', route: 'ollama/qwen3' })
      expect(told(outcome.attempts)).toEqual([
        'openai/gpt-5-mini rate_limit/quota_exhausted',
        'openrouter/z-ai/glm-4.6 network/connection',
        'openrouter/z-ai/glm-4.6 network/connection',
        'ollama/qwen3 ok',
      ])
      expect(decisions).toEqual([
        'reroute openai/gpt-5-mini openrouter/z-ai/glm-4.6 quota_exhausted',
        'retry openrouter/z-ai/glm-4.6 openrouter/z-ai/glm-4.6 connection',
        'reroute openrouter/z-ai/glm-4.6 ollama/qwen3 connection',
      ])
      expect(parts.map(({ type }) => type).filter((type) => type === 'start')).toHaveLength(1)
      expect(parts[0]).toMatchObject({ type: 'start', route: 'ollama/qwen3' })
      expect(parts.at(-1)?.type).toBe('finish')
      // What really went over the wires.
      expect(openai.requests[0]?.url).toBe('/v1/responses')
      expect(JSON.parse(openai.requests[0]?.body ?? '{}')).toMatchObject({ model: 'gpt-5-mini' })
      expect(JSON.parse(openai.requests[0]?.body ?? '{}').stream === true).toBe(isStreamed)
      expect(sim.log().at(-1)).toMatchObject({ path: '/api/chat', model: 'qwen3', stream: isStreamed })
    },
  )

  test('gives the same answer to those who read it as it comes and to those who wait for it', async () => {
    const whole = await runtime.complete(request())
    const streamed = (await collect(request()))
      .map((part) => (part.type === 'text' ? part.delta : ''))
      .join('')
    expect(whole.route).toBe('ollama/qwen3')
    expect(whole.text).not.toBe('')
    expect(streamed).toBe(whole.text)
  })

  const failureOf: Readonly<Record<string, (asked: ModelRequest) => Promise<unknown>>> = {
    async streamed(asked) {
      const last = (await collect(asked)).at(-1)
      return last?.type === 'error' ? last.error : last
    },
    whole: (asked) => runtime.complete(asked).catch((error: unknown) => error),
    'whole, with tools': (asked) => runtime.complete({ ...asked, tools }).catch((error: unknown) => error),
  }
  test.each(Object.keys(failureOf))(
    'that fails to its end lists every attempt, the first cause first (%s)',
    async (way) => {
      sim.control({ model: 'qwen3', fault: 'html502' })
      const error = (await failureOf[way]?.(request())) as TurnkeeperError
      expect(error).toMatchObject({ code: 'rate_limit/quota_exhausted', route: 'openai/gpt-5-mini' })
      expect(told(error.attempts)).toEqual([
        'openai/gpt-5-mini rate_limit/quota_exhausted',
        'openrouter/z-ai/glm-4.6 network/connection',
        'openrouter/z-ai/glm-4.6 network/connection',
        'ollama/qwen3 server/html_payload',
      ])
      expect(JSON.stringify(error)).not.toMatch(/k3y-|<html|Say hello/)
    },
  )
})

/** A port of a server that is gone. */
async function closedPort(): Promise<number> {
  const gone = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => gone.once('listening', resolve))
  const { port } = gone.address() as AddressInfo // of a server that listens
  await new Promise((resolve) => gone.close(resolve))
  return port
}
