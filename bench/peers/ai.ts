import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import type { Measure } from '../harness/group.ts'
import { type Client, measureClient } from '../subjects/provider/client.ts'
import { PROMPT, SYSTEM, TOOL_RESULT, TOOLS } from '../subjects/provider/request.ts'

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  const provider = createOpenAICompatible({ name: 'bench', baseURL: `${url}/v1`, apiKey: 'sk-none' })
  const tools = Object.fromEntries(
    TOOLS.map(({ name, description, parameters }) => [
      name,
      tool({
        description,
        inputSchema: jsonSchema<{ city: string }>({
          ...parameters,
          type: 'object',
          required: [...parameters.required],
          properties: { city: { type: 'string' }, unit: { type: 'string' } },
        }),
        execute: async ({ city }) => ({ ...TOOL_RESULT, city }),
      }),
    ]),
  )
  const shared = { system: SYSTEM, prompt: PROMPT, tools, maxOutputTokens: 4096 }
  const stream = async (model: string): Promise<number> => {
    const { textStream } = streamText({ model: provider(model), ...shared })
    let chars = 0
    for await (const delta of textStream) chars += delta.length
    return chars
  }
  return {
    json: async () => (await generateText({ model: provider('json'), ...shared })).text.length,
    stream: () => stream('stream'),
    paced: () => stream('paced'),
    tools: async () =>
      (await generateText({ model: provider('tools'), ...shared, stopWhen: stepCountIs(3) })).text.length,
  }
}
