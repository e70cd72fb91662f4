/**
 * Runs model calls without a network and prints by how many bytes a call the old generation of V8 has grown, as JSON.
 * A program of its own, so that nothing but these calls is measured.
 */

import { getHeapSpaceStatistics } from 'node:v8'
import { createUpstream } from '../../../src/providers/attempt/create-upstream.ts'
import { createSilences } from '../../../src/providers/attempt/silences.ts'
import type { HttpClient } from '../../../src/providers/http.ts'
import type { ModelRequest } from '../../../src/providers/types.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import { exportSpansTo } from '../../../src/telemetry/traces/export.ts'
import { createObserve } from '../../../src/telemetry/traces/observe.ts'

const isStream = process.argv[2] === 'stream'
const WARM_UP = 4000
/** Few enough that no full collection comes in between. */
const CALLS = isStream ? 300 : 1500

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
const choice = (more: object): object => ({ id: 'a', model: 'm', choices: [{ index: 0, ...more }], usage })
const json = JSON.stringify(
  choice({ message: { role: 'assistant', content: 'word '.repeat(200) }, finish_reason: 'stop' }),
)
const events = [
  ...Array.from({ length: 20 }, () => choice({ delta: { content: 'a few words ' } })),
  choice({ delta: {}, finish_reason: 'stop' }),
].map((event) => `data: ${JSON.stringify(event)}\n\n`)
const chunks = (isStream ? [...events, 'data: [DONE]\n\n'] : [json]).map((text) => Buffer.from(text))
const headers = { 'content-type': isStream ? 'text/event-stream' : 'application/json' }

const http: HttpClient = {
  send(_request, sink) {
    setImmediate(() => {
      sink.onSent()
      sink.onHeaders(200, headers)
      for (const chunk of chunks) sink.onData(chunk)
      sink.onEnd()
    })
    return { abort: () => {} }
  },
  close: async () => {},
}
const nowhere = { export: (_spans: unknown, done: (result: { code: 0 }) => void) => done({ code: 0 }) }
const spans = exportSpansTo(
  { ...nowhere, shutdown: async () => {} },
  { service: 'garbage', version: '0', instanceId: 'one' },
)
const observing = createObserve({
  sink: spans,
  redactor: { text: (text) => text },
  sampling: 1,
  captureContent: false,
})
const upstream = createUpstream({
  ...{
    protocol: 'openai-chat',
    baseUrl: 'http://upstream/v1',
    model: 'm',
    stream: isStream,
    apiKey: 'sk-none',
  },
  telemetry: { ...noTelemetry, ...observing },
  evidence: { rawBytes: 65_536, excerptBytes: 2048 },
  silences: createSilences(),
  http,
})
const request: ModelRequest = {
  messages: [{ role: 'user', content: 'Hello.' }],
  parameters: { maxTokens: 64 },
}

async function call(): Promise<void> {
  const { signal } = new AbortController()
  const { outcome } = await upstream.attempt(request, () => {}, { signal })
  if (outcome !== 'ok') throw new Error(`the call ended with ${outcome}`)
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')?.space_used_size ?? 0
}

for (let i = 0; i < WARM_UP; i++) await call()
globalThis.gc?.()
const before = oldBytes()
for (let i = 0; i < CALLS; i++) await call()
console.log(JSON.stringify({ bytesACall: (oldBytes() - before) / CALLS }))
await spans.close()
