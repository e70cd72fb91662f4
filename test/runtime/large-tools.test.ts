import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { largeTools } from '../../src/runtime/tools/large-tools.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'

const tool = (name: string, words: number) =>
  defineTool({
    name,
    description: '',
    inputSchema: { type: 'object', properties: { a: { type: 'string', description: 'x'.repeat(words) } } },
    execute: () => null,
  })
const agents = new Map([
  ['a', defineAgent({ name: 'a', model: 'coder', tools: [tool('small', 10), tool('large', 9000)] })],
])

async function found(limits: object) {
  const provider = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' }
  const config = await loadConfig({
    providers: { up: { ...provider, limits }, other: provider },
    models: { coder: { routes: ['other/m', 'up/m'] } },
  })
  return largeTools(agents, config).map(({ tool: name }) => name)
}

test('a tool whose schema is over 8 KB is reported', async () => {
  expect(await found({})).toEqual(['large'])
})

test('limits.toolSchemaBytes moves that, and the smallest limit of the routes counts', async () => {
  expect(await found({ toolSchemaBytes: 20 })).toEqual(['small', 'large'])
})
