import { expect, test } from 'vitest'
import { DIALECTS } from '../../../src/providers/protocols/dialects.ts'
import { ollama } from '../../../src/providers/protocols/ollama.ts'
import type { ModelRequest } from '../../../src/providers/types.ts'
import { type Mapping, mapAnswer } from './mapping.ts'

const map = (...lines: readonly unknown[]): Mapping => mapAnswer(ollama, lines)
const build = (request: ModelRequest, endpoint = '/api/chat'): unknown =>
  ollama.buildRequest(request, { model: 'm', stream: true, dialect: DIALECTS.ollama, endpoint })
const end = { model: 'm', message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop' }

test('a call without id whose turn ends in stop is a tool turn, and gets an id', () => {
  const tool_calls = [{ function: { index: 0, name: 'f', arguments: { x: 1 } } }]
  const { answer } = map({ message: { content: '', tool_calls } }, end)
  expect(answer).toMatchObject({
    toolCalls: [{ id: 'made-1', name: 'f', input: { x: 1 } }],
    finishReason: 'tool_calls',
    rawFinishReason: 'stop',
  })
})

test('calls in lines of their own stay apart though each has index 0', () => {
  const line = (x: number): object => ({
    message: { content: '', tool_calls: [{ function: { index: 0, name: 'f', arguments: { x } } }] },
  })
  expect(map(line(1), line(2), end).answer.toolCalls.map(({ input }) => input)).toEqual([{ x: 1 }, { x: 2 }])
})

test('an error line ends the answer, whatever came before it', () => {
  const { mapped } = map({ message: { content: 'Par' } }, { error: 'unexpected EOF' })
  expect(mapped.at(-1)).toEqual({ type: 'error', body: { error: 'unexpected EOF' } })
})

test('O1: without done the answer was truncated', () => {
  expect(map({ message: { content: 'Hel' }, done: false }).ending).toEqual({ type: 'truncated' })
})

test('a prompt that was cached whole is not counted as zero', () => {
  expect(map({ ...end, eval_count: 3 }).answer.usage).toMatchObject({ inputTokens: null, outputTokens: 3 })
})

test('an end without a reason, as old servers say it, is a stop', () => {
  const { done_reason: _, ...old } = end
  expect(map(old).answer).toMatchObject({ finishReason: 'stop', rawFinishReason: null })
})

test('a 200 that is no answer is an error', () => {
  expect(mapAnswer(ollama, [{ status: 'ok' }], { whole: true }).mapped).toMatchObject([{ type: 'invalid' }])
})

test('a call cannot be forced: fewer tools can be offered, else the route lacks a capability', () => {
  const tools = [{ name: 'f', description: '', inputSchema: {} }]
  expect(build({ messages: [], tools, toolChoice: 'none' })).not.toHaveProperty('tools')
  expect(() => build({ messages: [], tools, toolChoice: 'required' })).toThrow('cannot be made to call')
  expect(() => build({ messages: [], tools, toolChoice: { name: 'f' } })).toThrow('cannot be made to call')
})

test('a prompt is made of a conversation for /api/generate', () => {
  const image = { type: 'image', url: 'data:image/png;base64,aW1n' } as const
  const asked: ModelRequest = {
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: [{ type: 'text', text: 'what is it?' }, image] },
    ],
    responseFormat: { type: 'json' },
  }
  expect(build(asked, '/api/generate')).toEqual({
    model: 'm',
    system: 'be brief',
    prompt: 'what is it?',
    images: ['aW1n'],
    format: 'json',
    options: { num_predict: 4096 },
    stream: true,
  })
  const spoken: ModelRequest = {
    messages: [
      ...asked.messages,
      { role: 'assistant', content: 'a cat' },
      { role: 'user', content: 'sure?' },
    ],
  }
  expect(build(spoken, '/base/api/generate')).toMatchObject({
    prompt: 'user: what is it?\n\nassistant: a cat\n\nuser: sure?\n\nassistant:',
  })
})

test('/api/generate knows no tools', () => {
  const tools = [{ name: 'f', description: '', inputSchema: {} }]
  expect(() => build({ messages: [], tools }, '/api/generate')).toThrow('use /api/chat')
})

test('every parameter has its name in options', () => {
  const parameters = {
    maxTokens: 5,
    topP: 0.1,
    stop: ['.'],
    seed: 1,
    presencePenalty: 1,
    frequencyPenalty: 2,
  }
  expect(build({ messages: [], parameters })).toMatchObject({
    options: { num_predict: 5, top_p: 0.1, stop: ['.'], seed: 1, presence_penalty: 1, frequency_penalty: 2 },
  })
})
