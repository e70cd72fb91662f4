import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { ask, complete, eventData, events, GREETING, post, type WireError } from './chat.ts'

const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

describe('OpenAI chat completions', () => {
  test('a JSON answer has the shape of a chat completion', async () => {
    const response = await post(sim, { model: 'sim-large', ...GREETING })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('x-request-id')).toMatch(/^req-sim-/)
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      model: 'sim-large',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant' } }],
      usage: { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) },
    })
  })

  test('a stream says the same as the JSON answer, word by word, and ends with [DONE]', async () => {
    const whole = (await complete(sim, GREETING)).choices[0]?.message.content
    const response = await post(sim, { model: 'sim-large', stream: true, ...GREETING })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const body = await response.text()
    const deltas = events(body).map((event) => event.choices?.[0]?.delta.content ?? '')
    expect(deltas.join('')).toBe(whole)
    expect(deltas.filter((delta) => delta !== '').length).toBeGreaterThan(3)
    expect(events(body).at(-1)?.choices?.[0]?.finish_reason).toBe('stop')
    expect(eventData(body).at(-1)).toBe('[DONE]')
    expect(body).not.toContain('"usage"')
  })

  test('usage comes after the finish, without choices, where it is asked for', async () => {
    const request = { model: 'm', stream: true, stream_options: { include_usage: true }, ...GREETING }
    const all = events(await (await post(sim, request)).text())
    const last = all.at(-1)
    expect(last?.choices).toEqual([])
    expect(last?.usage?.total_tokens).toBeGreaterThan(10)
    expect(all.slice(0, -1).every((event) => event.usage === null)).toBe(true)
  })

  test('tool calls stream as fragments of arguments that join to JSON', async () => {
    const messages = [{ role: 'user', content: 'What is the weather in Paris and in Rome?' }]
    const response = await post(sim, { model: 'm', stream: true, messages, tools: [WEATHER] })
    const fragments = events(await response.text()).flatMap(
      (event) => event.choices?.[0]?.delta.tool_calls ?? [],
    )
    const joined = [0, 1].map((index) => {
      const own = fragments.filter((fragment) => fragment.index === index)
      expect(own.length).toBeGreaterThan(2)
      expect(own.filter((fragment) => fragment.id !== undefined)).toHaveLength(1)
      return JSON.parse(own.map((fragment) => fragment.function.arguments).join('')) as unknown
    })
    expect(joined).toEqual([{ city: 'Paris' }, { city: 'Rome' }])
  })

  test('a model with reasoning in its name thinks aloud first', async () => {
    const message = await ask(sim, 'Hello', { model: 'sim-reasoning' })
    expect(message.reasoning_content).toMatch(/\w+/)
    expect((await ask(sim, 'Hello')).reasoning_content).toBeUndefined()
  })

  test('an answer longer than max_tokens is cut with finish reason length', async () => {
    const answer = await complete(sim, { ...GREETING, max_tokens: 3 })
    expect(answer.choices[0]?.finish_reason).toBe('length')
    expect(answer.choices[0]?.message.content).toHaveLength(12)
  })

  test('a body that is not a request is refused with the name of the field', async () => {
    const response = await post(sim, { model: 'm' })
    expect(response.status).toBe(400)
    const body = (await response.json()) as WireError
    expect(body.error).toMatchObject({ type: 'invalid_request_error', param: 'messages' })
    expect((await post(sim, undefined)).status).toBe(400)
  })

  test('a transcript with an unanswered tool call is refused, as the real service does', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }
    const asked = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: [call] },
    ]
    const unanswered = await post(sim, {
      model: 'm',
      messages: [...asked, { role: 'user', content: 'And?' }],
    })
    expect(unanswered.status).toBe(400)
    expect(((await unanswered.json()) as WireError).error.message).toContain('call_1')
    const stray = await post(sim, {
      model: 'm',
      messages: [{ role: 'tool', tool_call_id: 'x', content: '' }],
    })
    expect(stray.status).toBe(400)
  })

  test('the model list names models', async () => {
    const list = (await (await fetch(`${sim.url}/v1/models`)).json()) as {
      object: string
      data: { id: string }[]
    }
    expect(list.object).toBe('list')
    expect(list.data.map(({ id }) => id)).toContain('sim-large')
  })

  test('an unknown path is a JSON error with status 404', async () => {
    const response = await fetch(`${sim.url}/v2/nothing`)
    expect(response.status).toBe(404)
    expect(((await response.json()) as WireError).error.message).toContain('POST /v1/chat/completions')
  })
})
