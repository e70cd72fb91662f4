import { expect, test } from 'vitest'
import { countTokens, mostTokens } from '../../src/providers/models/tokens.ts'
import type { ModelRequest } from '../../src/providers/types.ts'

const ask = (content: string): ModelRequest => ({ messages: [{ role: 'user', content }] })

test("OpenAI's models are counted exactly, but for the few tokens around a message", async () => {
  const { tokens, atLeast, isExact } = await countTokens('gpt-5-mini', ask('hello world'))
  expect({ atLeast, isExact, around: tokens - atLeast }).toEqual({ atLeast: 2, isExact: true, around: 4 })
  expect(await countTokens('openai/gpt-5-mini', ask('hello world'))).toMatchObject({ atLeast: 2 })
})

test('other models are estimated by a factor, with a lower bound', async () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(100)
  const exact = await countTokens('gpt-5', ask(text))
  const claude = await countTokens('claude-sonnet-5', ask(text))
  expect(claude.isExact).toBe(false)
  expect(claude.tokens).toBeGreaterThan(exact.tokens)
  expect(claude.atLeast).toBeLessThan(exact.tokens)
})

test('tools, tool calls, reasoning and images count', async () => {
  const bare = await countTokens('gpt-5', ask('x'))
  const rich = await countTokens('gpt-5', {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'x' },
          { type: 'image', url: 'https://example.com/a.png' },
        ],
      },
      {
        role: 'assistant',
        content: '',
        reasoning: { text: 'hmm' },
        toolCalls: [{ id: '1', name: 'look', input: { at: 'this' } }],
      },
    ],
    tools: [{ name: 'look', description: 'looks', inputSchema: { type: 'object' } }],
  })
  expect(rich.tokens).toBeGreaterThan(bare.tokens + 800)
  expect(rich.isExact).toBe(false)
})

test('special tokens in a text are text', async () => {
  await expect(countTokens('gpt-5', ask('<|endoftext|>'))).resolves.toMatchObject({ isExact: true })
})

test.each(['hello', 'ätsch 你好 🎉', ' '.repeat(500), '{"a":[1,2,3]}'])(
  'no text has more tokens than the bound that needs no tokenizer: %j',
  async (text) => {
    expect((await countTokens('gpt-5', ask(text))).tokens).toBeLessThanOrEqual(mostTokens(ask(text)))
  },
)
