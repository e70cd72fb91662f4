/** With its tracing off, as it would send spans to its vendor. */

import { Agent, OpenAIChatCompletionsModel, Runner, setTracingDisabled, tool } from '@openai/agents'
import OpenAI from 'openai'
import type { Measure } from '../harness/group.ts'
import { type Client, measureClient } from '../subjects/provider/client.ts'
import { PROMPT, SYSTEM, TOOL_RESULT, TOOLS } from '../subjects/provider/request.ts'

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  setTracingDisabled(true)
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-none' })
  const tools = TOOLS.map(({ name, description, parameters }) =>
    tool({
      ...{ name, description, strict: false },
      parameters: {
        ...parameters,
        type: 'object' as const,
        required: [...parameters.required],
        additionalProperties: true as const,
      },
      execute: async (input: unknown) => ({ ...TOOL_RESULT, city: (input as { city: string }).city }),
    }),
  )
  const runner = new Runner({ tracingDisabled: true })
  const agent = (name: string) =>
    new Agent({
      ...{ name, instructions: SYSTEM, tools, modelSettings: { maxTokens: 4096 } },
      model: new OpenAIChatCompletionsModel(client, name),
    })
  const [json, fast, paced, loop] = ['json', 'stream', 'paced', 'tools'].map(agent)
  const whole = async (one: typeof json): Promise<number> =>
    (await runner.run(one!, PROMPT)).finalOutput?.length ?? 0
  const stream = async (one: typeof json): Promise<number> => {
    const run = await runner.run(one!, PROMPT, { stream: true })
    let chars = 0
    for await (const delta of run.toTextStream()) chars += delta.length
    return chars
  }
  return {
    json: () => whole(json),
    stream: () => stream(fast),
    paced: () => stream(paced),
    tools: () => whole(loop),
  }
}
