import OpenAI from 'openai'
import type { Measure } from '../harness/group.ts'
import { type Client, measureClient } from '../subjects/provider/client.ts'
import { CHAT_MESSAGES, CHAT_TOOLS, TOOL_RESULT } from '../subjects/provider/request.ts'

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-none' })
  const ask = (model: string, messages: OpenAI.ChatCompletionMessageParam[]) =>
    client.chat.completions.create({ model, messages, tools: CHAT_TOOLS, max_tokens: 4096 })
  const stream = async (model: string): Promise<number> => {
    const chunks = await client.chat.completions.create({
      ...{ model, messages: CHAT_MESSAGES, tools: CHAT_TOOLS, max_tokens: 4096 },
      stream: true,
      stream_options: { include_usage: true },
    })
    let chars = 0
    for await (const chunk of chunks) chars += chunk.choices[0]?.delta.content?.length ?? 0
    return chars
  }
  return {
    json: async () => (await ask('json', CHAT_MESSAGES)).choices[0]?.message.content?.length ?? 0,
    stream: () => stream('stream'),
    paced: () => stream('paced'),
    async tools() {
      const called = (await ask('tools', CHAT_MESSAGES)).choices[0]!.message
      const call = called.tool_calls![0]!
      const { city } = JSON.parse(call.type === 'function' ? call.function.arguments : '{}') as {
        city: string
      }
      const answer = await ask('tools', [
        ...CHAT_MESSAGES,
        called,
        { role: 'tool', tool_call_id: call.id, content: JSON.stringify({ ...TOOL_RESULT, city }) },
      ])
      return answer.choices[0]?.message.content?.length ?? 0
    },
  }
}
