import { HumanMessage, SystemMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import type { Measure } from '../harness/group.ts'
import { type Client, measureClient } from '../subjects/provider/client.ts'
import { CHAT_TOOLS, PROMPT, SYSTEM } from '../subjects/provider/request.ts'

export const measure: Measure = async ({ url }) => measureClient(open(String(url)))

function open(url: string): Client {
  const messages = [new SystemMessage(SYSTEM), new HumanMessage(PROMPT)]
  const chat = (model: string) =>
    new ChatOpenAI({
      ...{ model, apiKey: 'sk-none', maxTokens: 4096 },
      configuration: { baseURL: `${url}/v1` },
    }).bindTools(CHAT_TOOLS)
  const [json, fast, paced] = ['json', 'stream', 'paced'].map(chat)
  const stream = async (model: typeof fast): Promise<number> => {
    let chars = 0
    for await (const chunk of await model!.stream(messages)) chars += chunk.text.length
    return chars
  }
  return {
    json: async () => (await json!.invoke(messages)).text.length,
    stream: () => stream(fast),
    paced: () => stream(paced),
  }
}
