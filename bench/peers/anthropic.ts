/** Its own wire format, whose events are shorter: its ratios on streams are flattered. */

import Anthropic from '@anthropic-ai/sdk'
import type { Measure } from '../harness/group.ts'
import { type Client, measureClient } from '../subjects/provider/client.ts'
import { PROMPT, SYSTEM, TOOLS } from '../subjects/provider/request.ts'

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  const client = new Anthropic({ baseURL: url, apiKey: 'sk-none' })
  const tools = TOOLS.map(({ name, description, parameters }) => ({
    name,
    description,
    input_schema: { ...parameters, type: 'object' as const, required: [...parameters.required] },
  }))
  const body = (model: string) => ({
    ...{ model, system: SYSTEM, max_tokens: 4096, tools },
    messages: [{ role: 'user' as const, content: PROMPT }],
  })
  const stream = async (model: string): Promise<number> => {
    const events = await client.messages.create({ ...body(model), stream: true })
    let chars = 0
    for await (const event of events) {
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
        chars += event.delta.text.length
    }
    return chars
  }
  return {
    async json() {
      const [block] = (await client.messages.create(body('json'))).content
      return block?.type === 'text' ? block.text.length : 0
    },
    stream: () => stream('stream'),
    paced: () => stream('paced'),
  }
}
