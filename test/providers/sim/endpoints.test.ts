import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { ENDPOINTS, type Endpoint, readEvents, send, sendJson } from './endpoints.ts'

const TEXT = 'One, two, three and four.'
const ASK = `say "${TEXT}"`

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

async function streamed(endpoint: Endpoint, model = 'any') {
  const response = await send(sim, endpoint.path, { model, ...endpoint.body(ASK, true) })
  return { response, events: readEvents(await response.text()) }
}

const textOf = ({ delta }: Endpoint, events: ReturnType<typeof readEvents>): string =>
  events.map(({ data }) => (data === '[DONE]' ? '' : (delta(data) ?? ''))).join('')

describe.each(Object.entries(ENDPOINTS))('%s', (_name, endpoint) => {
  const { path, body, text, isTerminal, error } = endpoint

  test('a JSON answer and a stream say the same, word by word', async () => {
    expect(text(await sendJson(sim, path, { model: 'any', ...body(ASK, false) }))).toBe(TEXT)
    const { response, events } = await streamed(endpoint)
    expect(textOf(endpoint, events)).toBe(TEXT)
    expect(events.length).toBeGreaterThan(5)
    expect(events.filter(isTerminal)).toEqual([events.at(-1)])
    const isNdjson = path.startsWith('/api')
    expect(response.headers.get('content-type')).toContain(isNdjson ? 'application/x-ndjson' : 'event-stream')
  })

  test('nodone says everything but the end', async () => {
    const { events } = await streamed(endpoint, 'any+nodone')
    expect(textOf(endpoint, events)).toBe(TEXT)
    expect(events.some(isTerminal)).toBe(false)
  })

  test('an error inside the stream has the form of the protocol, and nothing completes after it', async () => {
    const { response, events } = await streamed(endpoint, 'any+error:600')
    expect(response.status).toBe(200)
    const errors = events.filter(({ data }) => data !== '[DONE]' && typeof error(data) === 'string')
    expect(errors.map(({ data }) => error(data as Record<string, unknown>))).toContain(
      'The provider failed inside the answer.',
    )
    expect(events.filter(isTerminal).filter(({ data }) => data !== '[DONE]')).toEqual([])
  })

  test.each([
    ['500', 500],
    ['529', 529],
    ['429:7', 429],
    ['status:401', 401],
  ])('%s is an error body of the protocol', async (fault, status) => {
    const response = await send(sim, path, { model: `any+${fault}`, ...body(ASK, true) })
    expect(response.status).toBe(status)
    expect(error((await response.json()) as Record<string, unknown>)).toMatch(/\w/)
    if (status === 429) expect(response.headers.get('retry-after')).toBe('7')
  })

  test('truncate, gzip, html, wrongtype, garbage and empty work here too', async () => {
    const bytesOf = async (fault: string) => {
      const response = await send(sim, path, { model: `any+${fault}`, ...body(ASK, true) })
      return { response, bytes: Buffer.from(await response.arrayBuffer()) }
    }
    expect((await bytesOf('truncate:100')).bytes).toHaveLength(100)
    const events = readEvents(gunzipSync((await bytesOf('gzip')).bytes).toString())
    expect(textOf(endpoint, events)).toBe(TEXT)
    expect((await bytesOf('html')).bytes.toString()).toMatch(/^<!DOCTYPE/)
    expect((await bytesOf('wrongtype')).response.headers.get('content-type')).toBe('application/json')
    expect((await bytesOf('garbage')).bytes[0]).toBe(0)
    expect((await bytesOf('empty')).bytes).toHaveLength(0)
  })

  test('a body that is no request is refused in the form of the protocol', async () => {
    const response = await send(sim, path, { model: 'any' })
    expect(response.status).toBe(400)
    expect(error((await response.json()) as Record<string, unknown>)).toMatch(/\w/)
  })
})

describe('requests', () => {
  const PIXEL = 'iVBORw0KGgo='
  const url = `data:image/png;base64,${PIXEL}`

  test.each<[string, string, object]>([
    [
      'openai-chat',
      '/v1/chat/completions',
      {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Look' }, image({ image_url: { url } })] },
        ],
      },
    ],
    [
      'openai-responses',
      '/v1/responses',
      {
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_text', text: 'Look' },
              { type: 'input_image', image_url: url },
            ],
          },
        ],
      },
    ],
    [
      'anthropic',
      '/v1/messages',
      {
        max_tokens: 100,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
            ],
          },
        ],
      },
    ],
    [
      'ollama chat',
      '/api/chat',
      { stream: false, messages: [{ role: 'user', content: 'Look', images: [PIXEL] }] },
    ],
    ['ollama generate', '/api/generate', { stream: false, prompt: 'Look', images: [PIXEL] }],
  ])('an image is seen through %s', async (name, path, body) => {
    expect(ENDPOINTS[name]?.text(await sendJson(sim, path, { model: 'm', ...body }))).toContain(
      'Look [1 image]',
    )
  })

  const CALL = 'call look with {"at":"it"}'
  const source = { type: 'base64', media_type: 'image/png', data: PIXEL }
  const called = { name: 'look', arguments: '{"at":"it"}' }

  test.each<[string, string, object]>([
    [
      'openai-chat',
      '/v1/chat/completions',
      {
        messages: [
          { role: 'user', content: CALL },
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: 'c1', type: 'function', function: called }],
          },
          { role: 'tool', tool_call_id: 'c1', content: [image({ image_url: { url } })] },
        ],
      },
    ],
    [
      'openai-responses',
      '/v1/responses',
      {
        instructions: 'Be brief.',
        input: [
          { role: 'user', content: CALL },
          { type: 'reasoning', id: 'rs_1', summary: [] },
          { type: 'function_call', call_id: 'c1', ...called },
          {
            type: 'function_call_output',
            call_id: 'c1',
            output: [{ type: 'input_image', image_url: url }],
          },
        ],
      },
    ],
    [
      'anthropic',
      '/v1/messages',
      {
        max_tokens: 100,
        system: [{ type: 'text', text: 'Be brief.' }],
        messages: [
          { role: 'user', content: CALL },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm', signature: 's' },
              { type: 'tool_use', id: 'c1', name: 'look', input: { at: 'it' } },
            ],
          },
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'image', source }] }],
          },
        ],
      },
    ],
    [
      'ollama chat',
      '/api/chat',
      {
        stream: false,
        messages: [
          { role: 'user', content: CALL },
          { role: 'assistant', tool_calls: [{ function: { name: 'look', arguments: { at: 'it' } } }] },
          { role: 'tool', tool_name: 'look', content: '', images: [PIXEL] },
        ],
      },
    ],
  ])('a tool result with an image belongs to its call in %s', async (name, path, body) => {
    const answer = await sendJson(sim, path, { model: 'm', ...body })
    expect(ENDPOINTS[name]?.text(answer)).toBe('The result of look is: [1 image]')
  })

  test('thinking comes where it is asked for, and not where it is refused', async () => {
    const messages = [{ role: 'user', content: 'Hi' }]
    const thinking = (type: string) => ({ max_tokens: 99, messages, thinking: { type } })
    const on = await sendJson(sim, '/v1/messages', { model: 'm', ...thinking('adaptive') })
    expect(on.content).toMatchObject([{ type: 'thinking', signature: /./ }, { type: 'text' }])
    const off = await sendJson(sim, '/v1/messages', { model: 'reasoning', ...thinking('disabled') })
    expect(off.content).toMatchObject([{ type: 'text' }])
    const local = await sendJson(sim, '/api/chat', { model: 'm', messages, think: true, stream: false })
    expect(local.message).toMatchObject({ thinking: /\w/ })
    const item = await sendJson(sim, '/v1/responses', {
      model: 'm',
      input: 'Hi',
      reasoning: { effort: 'low' },
    })
    expect(item.output).toMatchObject([{ type: 'reasoning' }, { type: 'message' }])
  })

  test('Ollama streams unless told otherwise', async () => {
    const response = await send(sim, '/api/generate', { model: 'm', prompt: 'Hi' })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  })

  test('an unknown previous response is refused, since none is kept', async () => {
    const body = { model: 'm', input: 'Hi', previous_response_id: 'resp_1' }
    expect((await send(sim, '/v1/responses', body)).status).toBe(400)
  })

  test('requests are named in the header of each vendor', async () => {
    const anthropic = await send(sim, '/v1/messages', {
      model: 'm',
      max_tokens: 9,
      messages: [{ role: 'user', content: 'Hi' }],
    })
    expect(anthropic.headers.get('request-id')).toMatch(/^req-sim/)
    const openai = await send(sim, '/v1/responses', { model: 'm', input: 'Hi' })
    expect(openai.headers.get('x-request-id')).toMatch(/^req-sim/)
  })

  test('the lists of models have the form that each vendor gives them', async () => {
    const tags = (await (await fetch(`${sim.url}/api/tags`)).json()) as { models: { name: string }[] }
    expect(tags.models.map(({ name }) => name)).toContain('sim-large')
    const headers = { 'anthropic-version': '2023-06-01' }
    const list = (await (await fetch(`${sim.url}/v1/models`, { headers })).json()) as object
    expect(list).toMatchObject({ has_more: false, data: [{ type: 'model', id: 'sim-large' }, {}, {}] })
  })
})

function image(fields: object): object {
  return { type: 'image_url', ...fields }
}
