/** Streams that have begun and then say nothing: RSS of the process for each. */

import { createParser } from 'eventsource-parser'
import { Agent, request } from 'undici'
import { createProviderRuntime } from '../../../src/providers/create-runtime.ts'
import type { Measure } from '../../harness/group.ts'
import { openNullTelemetry } from '../null-telemetry.ts'
import { CHAT_MESSAGES } from '../provider/request.ts'
import { startRedis } from '../redis.ts'

type Open = (onEvent: () => void) => void

/** `client`: `turnkeeper` or `undici`; `streams`: how many. Run with `--expose-gc`. */
export const measure: Measure = async ({ url, client, streams }) => {
  await using redis = await startRedis()
  const open = client === 'undici' ? undiciOpen(String(url)) : await runtimeOpen(String(url), redis.url)
  const count = Number(streams)
  await openAll(open, 50)
  const before = await settledRss()
  await openAll(open, count)
  return { [`KB a stream at ${count}`]: ((await settledRss()) - before) / count / 1024 }
}

async function openAll(open: Open, count: number): Promise<void> {
  let begun = 0
  for (let i = 0; i < count; i++) {
    open(() => begun++)
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  while (begun < count) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function settledRss(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return process.memoryUsage.rss()
}

function undiciOpen(url: string): Open {
  const dispatcher = new Agent({ connections: 10_000, headersTimeout: 0, bodyTimeout: 0 })
  const body = JSON.stringify({ model: 'idle', stream: true, messages: CHAT_MESSAGES })
  return async (onEvent) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await request(`${url}/v1/chat/completions`, { method: 'POST', headers, body, dispatcher })
    const parser = createParser({ onEvent })
    const decoder = new TextDecoder()
    let isFirst = true
    for await (const chunk of answer.body) {
      if (isFirst) parser.feed(`${decoder.decode(chunk as Buffer, { stream: true }).split('\n\n')[0]}\n\n`)
      isFirst = false
    }
  }
}

async function runtimeOpen(url: string, redisUrl: string): Promise<Open> {
  const telemetry = await openNullTelemetry()
  const runtime = await createProviderRuntime({
    telemetry,
    config: {
      redis: { url: redisUrl, durability: 'none' },
      providers: { main: { protocol: 'openai-chat', baseUrl: `${url}/v1`, http: { connections: 10_000 } } },
      models: { idle: { routes: ['main/idle'] } },
    },
  })
  return (onEvent) => {
    void runtime.run({ model: 'idle', messages: CHAT_MESSAGES }, (part) => {
      if (part.type === 'text') onEvent()
    })
  }
}
