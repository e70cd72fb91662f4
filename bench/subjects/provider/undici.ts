/** The floor: what a careful person would write by hand on undici `request` and eventsource-parser. */

import { createParser } from 'eventsource-parser'
import { Agent, request } from 'undici'
import type { Measure } from '../../harness/group.ts'
import { type Client, measureClient } from './client.ts'
import { CHAT_MESSAGES, CHAT_TOOLS, TOOL_RESULT } from './request.ts'

type ToolCall = { readonly id: string; readonly function: { readonly arguments: string } }
type Message = { readonly content: string | null; readonly tool_calls?: readonly ToolCall[] }
type Completion = { readonly choices: readonly { readonly message: Message }[] }
type Chunk = { readonly choices: readonly { readonly delta: { readonly content?: string } }[] }

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  const dispatcher = new Agent({ connections: 256 })
  const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-none' }
  const post = (body: object) =>
    request(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      dispatcher,
    })
  const ask = async (model: string, messages: readonly object[]): Promise<Message> => {
    const answer = await post({ model, messages, tools: CHAT_TOOLS, max_tokens: 4096 })
    const completion = (await answer.body.json()) as Completion // the mock's own answer
    return completion.choices[0]!.message
  }
  const stream = async (model: string): Promise<number> => {
    const answer = await post({
      ...{ model, messages: CHAT_MESSAGES, tools: CHAT_TOOLS, max_tokens: 4096 },
      ...{ stream: true, stream_options: { include_usage: true } },
    })
    let chars = 0
    const parser = createParser({
      onEvent({ data }) {
        if (data === '[DONE]') return
        const chunk = JSON.parse(data) as Chunk // the mock's own events
        chars += chunk.choices[0]?.delta.content?.length ?? 0
      },
    })
    const decoder = new TextDecoder()
    for await (const bytes of answer.body) parser.feed(decoder.decode(bytes as Buffer, { stream: true }))
    return chars
  }
  return {
    json: async () => (await ask('json', CHAT_MESSAGES)).content?.length ?? 0,
    stream: () => stream('stream'),
    paced: () => stream('paced'),
    async tools() {
      const called = await ask('tools', CHAT_MESSAGES)
      const [call] = called.tool_calls ?? []
      const { city } = JSON.parse(call!.function.arguments) as { city: string }
      const result = {
        role: 'tool',
        tool_call_id: call!.id,
        content: JSON.stringify({ ...TOOL_RESULT, city }),
      }
      const answer = await ask('tools', [...CHAT_MESSAGES, { role: 'assistant', ...called }, result])
      return answer.content?.length ?? 0
    },
  }
}
