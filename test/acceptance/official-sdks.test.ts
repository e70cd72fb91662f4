/** The vendors' own SDKs as judges: of the simulated upstream, and of the parts that we make of the same answers. */

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createProvider } from '../../src/providers/provider.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { Answer, FinishReason, ModelRequest } from '../../src/providers/types.ts'
import { type Client, chatClient, messagesClient, type Ours, responsesClient } from './sdk-clients.ts'

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

const WEATHER = {
  name: 'weather',
  description: 'The weather in a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}

type Case = {
  readonly name: string
  readonly model: string
  readonly request: ModelRequest
  readonly text: string
  readonly calls: readonly unknown[]
  readonly finish: FinishReason
}

const ask = (content: string): ModelRequest => ({ messages: [{ role: 'user', content }] })

const CASES: readonly Case[] = [
  {
    name: 'text',
    model: 'sim-large',
    request: ask('Please say "Hellö, wörld 👋.\\n\\nA second line, \\"quoted\\"."'),
    text: 'Hellö, wörld 👋.\n\nA second line, "quoted".',
    calls: [],
    finish: 'stop',
  },
  {
    name: 'text after reasoning',
    model: 'sim-reasoning',
    request: ask('say "Done."'),
    text: 'Done.',
    calls: [],
    finish: 'stop',
  },
  {
    name: 'an answer cut by its token limit',
    model: 'sim-large',
    // OpenAI's Responses API takes no limit under 16.
    request: {
      ...ask(`say "${'One two three four five six seven eight nine ten. '.repeat(4)}"`),
      parameters: { maxTokens: 16 },
    },
    text: 'One two three four five six seven eight nine ten. One two three ',
    calls: [],
    finish: 'length',
  },
  {
    name: 'parallel tool calls',
    model: 'sim-large',
    request: {
      ...ask('call weather with {"city":"Zürich"} and call weather with {"city":"Rome \\"centro\\""}'),
      tools: [WEATHER],
    },
    text: '',
    calls: [
      { name: 'weather', input: { city: 'Zürich' } },
      { name: 'weather', input: { city: 'Rome "centro"' } },
    ],
    finish: 'tool_calls',
  },
  {
    name: 'a tool call after reasoning',
    model: 'sim-reasoning',
    request: { ...ask('call weather with {"city":"Oslo"}'), tools: [WEATHER] },
    text: '',
    calls: [{ name: 'weather', input: { city: 'Oslo' } }],
    finish: 'tool_calls',
  },
  {
    name: 'an answer from the results of tools',
    model: 'sim-large',
    request: {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'call weather with {"city":"Oslo"}' },
        {
          role: 'assistant',
          content: '',
          toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Oslo' } }],
        },
        { role: 'tool', toolCallId: 'call_1', name: 'weather', content: 'rain' },
      ],
      tools: [WEATHER],
    },
    text: 'The result of weather is: rain',
    calls: [],
    finish: 'stop',
  },
]

const CLIENTS: readonly (readonly [string, (url: string) => Client])[] = [
  ['openai chat', chatClient],
  ['openai responses', responsesClient],
  ['anthropic messages', messagesClient],
]

describe.each(CLIENTS)('%s', (_name, clientOf) => {
  describe.each(CASES)('$name', ({ model, request, text, calls, finish }) => {
    test.each([true, false])('says the same to the SDK and to us (stream %s)', async (stream) => {
      const client = clientOf(sim.url)
      const theirs = await client.ask(request, { model, stream })
      expect(theirs).toMatchObject({ text, calls, finish: client.finishes[finish] })
      expect(theirs.reasoning !== '').toBe(model === 'sim-reasoning')
      expect(theirs.inputTokens).toBeGreaterThan(0)
      expect(theirs.outputTokens).toBeGreaterThan(0)
      expect(theirs.ids).toHaveLength(calls.length)
      const ours = await askUs(client.ours, request, { model, stream })
      expect({ ...theirs, finish }).toEqual(factsOf(ours))
    })
  })

  test('an error inside the stream is an error to the SDK and to us', async () => {
    const client = clientOf(sim.url)
    const model = 'sim-large+error:700'
    await expect(client.ask(CASES[0]!.request, { model, stream: true })).rejects.toThrow(/failed inside/)
    await expect(askUs(client.ours, CASES[0]!.request, { model, stream: true })).rejects.toMatchObject({
      category: 'server',
    })
  })

  test.each([
    ['429:0', 429],
    ['529', 529],
    ['status:401', 401],
  ])('%s is an error with its status to the SDK', async (fault, status) => {
    const asked = clientOf(sim.url).ask(CASES[0]!.request, { model: `any+${fault}`, stream: false })
    await expect(asked).rejects.toMatchObject({ status })
  })
})

test('both model lists are pages to their SDKs', async () => {
  const openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${sim.url}/v1` })
  const anthropic = new Anthropic({ apiKey: 'sk-test', baseURL: sim.url })
  expect((await openai.models.list()).data.map(({ id }) => id)).toContain('sim-large')
  expect((await anthropic.models.list()).data.map(({ id }) => id)).toContain('sim-large')
})

type How = { readonly model: string; readonly stream: boolean }

async function askUs(
  { protocol, path }: Ours,
  request: ModelRequest,
  { model, stream }: How,
): Promise<Answer> {
  await using provider = createProvider({
    protocol,
    baseUrl: `${sim.url}${path}`,
    apiKey: 'sk-test',
    model,
    stream,
    retries: 0,
  })
  return await provider.complete(request)
}

function factsOf({ text, reasoning, toolCalls, usage, finishReason }: Answer) {
  return {
    text,
    reasoning: reasoning?.text ?? '',
    calls: toolCalls.map(({ name, input }) => ({ name, input })),
    ids: toolCalls.map(({ id }) => id),
    finish: finishReason,
    inputTokens: usage?.inputTokens,
    outputTokens: usage?.outputTokens,
  }
}
