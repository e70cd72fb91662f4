/**
 * Turnkeeper with everything on: alias of two routes, attempt engine, breakers, credentials, retry budget, evidence
 * for the recorder, six spans, metrics and one log line a call.
 */

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { createProviderRuntime } from '../../../src/providers/create-runtime.ts'
import type { ProviderRuntime } from '../../../src/providers/runtime.ts'
import type { Message, ModelRequest, PartSink, StreamPart, ToolCall } from '../../../src/providers/types.ts'
import { defineTool } from '../../../src/runtime/tools/tool.ts'
import type { Telemetry } from '../../../src/telemetry/telemetry.ts'
import type { Measure } from '../../harness/group.ts'
import { openNullTelemetry } from '../null-telemetry.ts'
import { type Client, measureClient } from './client.ts'
import { PROMPT, SYSTEM, TOOL_RESULT, TOOLS } from './request.ts'

/** `iterate`: streams are read with `for await`, as a program of its own would; else with a sink, as the worker does. */
export const measure: Measure = async ({ url, iterate }) => {
  const telemetry = await openNullTelemetry()
  const folder = mkdtempSync(join(tmpdir(), 'tk-bench-'))
  await using runtime = await createProviderRuntime({ config: configOf(String(url), folder), telemetry })
  return await measureClient(open(runtime, { telemetry, iterate: iterate === true }))
}

function configOf(url: string, folder: string): object {
  const provider = (stream: boolean) => ({
    protocol: 'openai-chat',
    baseUrl: `${url}/v1`,
    credentials: [{ id: 'main', apiKey: 'sk-none-0123456789abcdef' }],
    toolTurns: { stream },
  })
  const alias = (provider: string, model: string) => ({
    routes: [`${provider}/${model}`, `${provider}/spare`],
  })
  return {
    redis: { durability: 'none', dataDir: join(folder, 'redis') },
    recorder: { dir: join(folder, 'records') },
    providers: { whole: provider(false), streamed: provider(true) },
    models: {
      json: alias('whole', 'json'),
      tools: alias('whole', 'tools'),
      stream: alias('streamed', 'stream'),
      paced: alias('streamed', 'paced'),
    },
  }
}

const TOOL_SPECS = TOOLS.map(({ name, description, parameters }) => ({
  name,
  description,
  inputSchema: parameters,
}))

const MESSAGES: readonly Message[] = [
  { role: 'system', content: SYSTEM },
  { role: 'user', content: PROMPT },
]

type OpenOptions = { readonly telemetry: Telemetry; readonly iterate: boolean }

function open(runtime: ProviderRuntime, { telemetry, iterate }: OpenOptions): Client {
  const request = (model: string, messages: readonly Message[] = MESSAGES): ModelRequest => ({
    ...{ model, messages, tools: TOOL_SPECS },
    parameters: { maxTokens: 4096 },
  })
  const call = (asked: ModelRequest, sink: PartSink) => inTurn(telemetry, () => runtime.run(asked, sink))
  const text = async (asked: ModelRequest): Promise<number> => {
    let chars = 0
    await call(asked, (part) => {
      chars += charsOf(part)
    })
    return chars
  }
  const iterated = (asked: ModelRequest): Promise<number> =>
    inTurn(telemetry, async () => {
      let chars = 0
      for await (const part of runtime.stream(asked)) chars += charsOf(part)
      return chars
    })
  const weather = defineTool({
    ...{ name: 'weather', description: 'Says what the weather is in a city.', effect: 'pure' },
    inputSchema: z.object({ city: z.string(), unit: z.enum(['celsius', 'fahrenheit']).optional() }),
    execute: ({ city }) => ({ ...TOOL_RESULT, city }),
  })
  return {
    json: () => text(request('json')),
    stream: () => (iterate ? iterated : text)(request('stream')),
    paced: () => (iterate ? iterated : text)(request('paced')),
    tools: () =>
      inTurn(telemetry, async () => {
        const calls: ToolCall[] = []
        await runtime.run(request('tools'), (part) => {
          if (part.type === 'tool_call') calls.push(part)
        })
        const [first] = calls
        const input = weather.parse(first?.input)
        if (first === undefined || !input.ok) throw new Error('the tool was not called as it should be')
        const output = await telemetry.observe('execute_tool', { 'gen_ai.tool.name': 'weather' }, async () =>
          weather.execute(input.value, {} as never),
        ) // the tool does not look at its context
        let chars = 0
        const asked = request('tools', [
          ...MESSAGES,
          { role: 'assistant', content: '', toolCalls: [first] },
          { role: 'tool', toolCallId: first.id, name: 'weather', content: JSON.stringify(output) },
        ])
        await runtime.run(asked, (part) => {
          chars += charsOf(part)
        })
        return chars
      }),
  }
}

/** The three spans that a queued turn has around a call, and its line in the log. */
async function inTurn<T>(telemetry: Telemetry, work: () => Promise<T>): Promise<T> {
  const parent = await telemetry.observe('send turns', {}, async () => telemetry.carrier())
  return telemetry.observe(
    'process turns',
    {},
    async () => {
      const result = await telemetry.observe('invoke_agent', { 'gen_ai.agent.name': 'bench' }, work)
      telemetry.log.info(
        { agent: 'bench', turn: 'turn-0123', steps: 1, status: 'completed' },
        'turn completed',
      )
      return result
    },
    { parent },
  )
}

function charsOf(part: StreamPart): number {
  if (part.type === 'error') throw part.error
  return part.type === 'text' ? part.delta.length : 0
}
