import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOtlpReceiver } from '../telemetry/otlp-receiver.ts'
import { attributesOf } from '../telemetry/trace-tree.ts'
import { type Fleet, openFleet } from './fleet.ts'

const WORD = 's3cret-w0rd'
const KEY = 'key-that-nobody-may-read'

let fleet: Fleet
let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>

beforeEach(async () => {
  receiver = await createOtlpReceiver()
})
afterEach(async () => {
  await fleet.close()
  await receiver.close()
})

/** Runs one turn with a tool; returns what the worker has printed. */
async function runTurn(telemetry: object, upstream: object = {}): Promise<string> {
  fleet = await openFleet({ telemetry: { otlpEndpoint: receiver.endpoint, ...telemetry } }, upstream)
  const worker = await fleet.worker()
  const input = `call look_up with {"word": "${WORD}", "ms": 1} then call look_up with {"word": "${KEY}", "ms": 1}`
  const turn = await fleet.client.enqueue('assistant', { input })
  expect((await turn.result({ timeoutMs: 30_000 })).status).toBe('completed')
  const page = await (await fetch(worker.metricsUrl)).text()
  await worker.end('SIGTERM')
  return `${worker.output()}\n${page}`
}

test('with telemetry.captureContent spans hold what was asked, answered and given to tools, and still no key', async () => {
  const printed = await runTurn({ captureContent: true }, { credentials: [{ id: 'main', apiKey: KEY }] })
  const spans = receiver.spans().map((span) => ({ name: span.name, attributes: attributesOf(span) }))
  const chats = spans.filter(({ name }) => name.startsWith('chat'))
  const [asked] = JSON.parse(String(chats[0]?.attributes['gen_ai.input.messages'])) as unknown[]
  expect(asked).toMatchObject({
    role: 'user',
    parts: [{ type: 'text', content: expect.stringContaining(WORD) }],
  })
  expect(JSON.parse(String(chats[0]?.attributes['gen_ai.output.messages']))).toMatchObject([
    {
      role: 'assistant',
      parts: [{ type: 'tool_call', name: 'look_up', arguments: { word: WORD, ms: 1 } }],
      finish_reason: 'tool_calls',
    },
  ])
  expect(JSON.stringify(JSON.parse(String(chats[1]?.attributes['gen_ai.input.messages'])))).toContain(
    '"type":"tool_call_response"',
  )
  const tool = spans.find(({ name }) => name.startsWith('execute_tool'))
  expect(JSON.parse(String(tool?.attributes['gen_ai.tool.call.arguments']))).toEqual({ word: WORD, ms: 1 })
  expect(tool?.attributes['gen_ai.tool.call.result']).toContain(WORD)
  expect(printed).not.toContain(WORD)
  expect(receiver.raw()).not.toContain(KEY)
}, 60_000)

test('without it they hold nothing of it', async () => {
  await runTurn({})
  expect(receiver.raw()).not.toContain(WORD)
  expect(receiver.raw()).not.toContain('gen_ai.input.messages')
}, 60_000)

test('telemetry.jsonl is a file of lines, one a route, complete by themselves, for its owner alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-jsonl-'))
  const file = join(folder, 'new', 'routes.jsonl')
  fleet = await openFleet({ telemetry: { jsonl: file } })
  const worker = await fleet.worker()
  const gateway = fleet.start('serve')
  await gateway.match(/serving at/)
  await (await fleet.client.enqueue('talker', { input: 'say "hello"' })).result({ timeoutMs: 30_000 })
  await worker.end('SIGTERM')
  await gateway.end('SIGTERM')

  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(new Set(lines.map(({ instance }) => instance)).size).toBe(2)
  expect(lines.filter(({ attempts }) => attempts === 1)).toMatchObject([
    { provider: 'sim', route: 'sim/good', state: 'closed', successes: 1, window: 'since_start' },
  ])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  rmSync(folder, { recursive: true })
}, 60_000)
