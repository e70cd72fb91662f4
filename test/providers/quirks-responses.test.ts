/** Quirks of real upstreams, by their number in the collection, on fixtures of ours: responses. */

import { describe, expect, test } from 'vitest'

import { body, callOf, nextRequest, type Outcome, stream } from './calls.ts'
import { event } from './upstream-server.ts'

type Json = Readonly<Record<string, unknown>>

const json = (value: unknown) => body(JSON.stringify(value), 'application/json')

describe('responses', () => {
  const message = (...content: readonly Json[]) => ({ id: 'i1', type: 'message', role: 'assistant', content })
  const said = (text: string) => ({ type: 'output_text', text, annotations: [] })
  const response = (status: string, output: readonly Json[], more: Json = {}) => ({
    id: 'resp_1',
    object: 'response',
    model: 'm-2026',
    status,
    output,
    usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
    ...more,
  })
  const created = { type: 'response.created', response: response('in_progress', [], { usage: null }) }
  const ended = (status: string, output: readonly Json[], more: Json = {}) => ({
    type: `response.${status}`,
    response: response(status, output, more),
  })
  const delta = (kind: string, text: string, more: Json = {}) => ({
    type: `response.${kind}.delta`,
    output_index: 0,
    content_index: 0,
    item_id: 'i1',
    delta: text,
    ...more,
  })
  const options = { protocol: 'openai-responses' } as const
  const answered = (...events: readonly (Json | string)[]): Promise<Outcome> =>
    callOf(stream(...events.map((each) => (typeof each === 'string' ? each : event(each)))), options)
  const whole = (value: unknown): Promise<Outcome> => callOf(json(value), { ...options, stream: false })

  test('Q27 an incomplete response keeps its text and says why it ended', async () => {
    const cut = [[message(said('So far'))], { incomplete_details: { reason: 'max_output_tokens' } }] as const
    const { answer } = await answered(created, delta('output_text', 'So far'), ended('incomplete', ...cut))
    expect(answer).toMatchObject({
      text: 'So far',
      finishReason: 'length',
      rawFinishReason: 'max_output_tokens',
    })
    expect((await whole(response('incomplete', ...cut))).answer).toEqual(answer)
  })

  test('Q28 a refusal is no text', async () => {
    const output = [message({ type: 'refusal', refusal: 'I will not.' })]
    const { answer, types } = await answered(
      created,
      delta('refusal', 'I will '),
      delta('refusal', 'not.'),
      { type: 'response.refusal.done', output_index: 0, item_id: 'i1', refusal: 'I will not.' },
      ended('completed', output),
    )
    expect(answer).toMatchObject({ text: '', finishReason: 'refusal', refusal: 'I will not.' })
    expect(types).not.toContain('text')
    expect((await whole(response('completed', output))).answer).toEqual(answer)
  })

  test('Q29 a failed response and an error event are errors with their code', async () => {
    const failed = ended('failed', [], { error: { code: 'server_error', message: 'the model died' } })
    const limited = { type: 'error', code: 'rate_limit_exceeded', message: 'slow down', param: null }
    const nested = { type: 'error', error: { code: 'rate_limit_exceeded', message: 'slow down' } }
    for (const [failure, code] of [
      [failed, 'server/stream_error'],
      [limited, 'rate_limit/rate_limited'],
      [nested, 'rate_limit/rate_limited'],
    ] as const) {
      const { error, answer } = await answered(created, delta('output_text', 'So far'), failure)
      expect(error?.code).toBe(code)
      expect(answer.text).toBe('So far')
    }
    expect((await whole(failed.response)).error?.code).toBe('server/stream_error')
  })

  test('Q30 comments are no events, and reasoning_text is reasoning', async () => {
    const comment = ': ROUTER AT WORK\n\n'
    const { answer } = await answered(
      comment,
      created,
      comment,
      delta('reasoning_text', 'Think '),
      comment,
      delta('reasoning_text', 'twice.'),
      delta('output_text', 'Done.', { output_index: 1, item_id: 'i2' }),
      comment,
      ended('completed', [
        {
          id: 'i1',
          type: 'reasoning',
          summary: [],
          content: [{ type: 'reasoning_text', text: 'Think twice.' }],
        },
        message(said('Done.')),
      ]),
    )
    expect(answer).toMatchObject({ text: 'Done.', reasoning: { text: 'Think twice.' }, finishReason: 'stop' })
  })

  test('Q31 encrypted reasoning goes back as it came, before what it led to', async () => {
    const item = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'Z0FBQUE=' }
    const output = [item, message(said('Done.'))]
    const { answer } = await answered(
      created,
      { type: 'response.output_item.done', output_index: 0, item },
      delta('output_text', 'Done.', { output_index: 1, item_id: 'i2' }),
      ended('completed', output),
    )
    expect((await whole(response('completed', output))).answer).toEqual(answer)
    const { input } = await nextRequest('openai-responses', answer.reasoning)
    expect(input).toEqual([
      { role: 'user', content: 'hi' },
      item,
      { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'seen' },
    ])
  })

  test('Q32 several messages are one text, and items of built-in tools say nothing', async () => {
    const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { query: 'tides' } }
    const novel = { id: 'x_1', type: 'hologram_call', name: 'draw', arguments: '{"a":1}', text: 'not said' }
    const output = [message(said('Let me see. ')), search, novel, { ...message(said('High.')), id: 'i4' }]
    const { answer } = await answered(
      created,
      delta('output_text', 'Let me see. '),
      { type: 'response.output_item.added', output_index: 1, item: search },
      { type: 'response.web_search_call.searching', output_index: 1, item_id: 'ws_1' },
      { type: 'response.output_item.done', output_index: 1, item: search },
      { type: 'response.output_item.added', output_index: 2, item: novel },
      { type: 'response.hologram_call.delta', output_index: 2, item_id: 'x_1', delta: 'not said' },
      delta('output_text', 'High.', { output_index: 3, item_id: 'i4' }),
      ended('completed', output),
    )
    expect(answer).toMatchObject({ text: 'Let me see. High.', toolCalls: [], finishReason: 'stop' })
    expect((await whole(response('completed', output))).answer).toEqual(answer)
  })

  describe('what only a later event has whole', () => {
    const item = (n: number, args: string) => ({
      id: `fc_${n}`,
      type: 'function_call',
      call_id: `call_${n}`,
      name: 'look',
      arguments: args,
    })
    const begun = (n: number) => ({
      type: 'response.output_item.added',
      output_index: n,
      item: item(n, ''),
    })
    const args = (n: number, kind: 'delta' | 'done', text: string) => ({
      type: `response.function_call_arguments.${kind}`,
      output_index: n,
      item_id: `fc_${n}`,
      [kind === 'delta' ? 'delta' : 'arguments']: text,
    })
    const inputsOf = ({ answer }: Outcome) => answer.toolCalls.map(({ input }) => input)
    const both = [item(0, '{"at":0}'), item(1, '{"at":1}')]

    test('arguments without deltas are taken from their last event', async () => {
      const events = [begun(0), args(0, 'done', '{"at":0}')]
      expect(inputsOf(await answered(created, ...events, ended('completed', [])))).toEqual([{ at: 0 }])
    })

    test.each([
      ['the arguments of both', [begun(0), begun(1)]],
      ['the second call', [begun(0), args(0, 'delta', '{"at":0}')]],
      ['the first call', [begun(1), args(1, 'delta', '{"at":1}')]],
      ['nothing', [begun(0), args(0, 'done', '{"at":0}'), begun(1), args(1, 'delta', '{"at":1}')]],
    ])('the final response adds %s', async (_what, events) => {
      const outcome = await answered(created, ...events, ended('completed', both))
      expect(inputsOf(outcome)).toHaveLength(2)
      expect(inputsOf(outcome)).toEqual(expect.arrayContaining([{ at: 0 }, { at: 1 }]))
    })

    test('calls with new ids at the end are the same calls', async () => {
      const renamed = both.map((call) => ({ ...call, call_id: `other_${call.call_id}` }))
      const events = [begun(0), args(0, 'delta', '{"at":0}'), begun(1), args(1, 'delta', '{"at":1}')]
      const outcome = await answered(created, ...events, ended('completed', renamed))
      expect(inputsOf(outcome)).toEqual([{ at: 0 }, { at: 1 }])
    })

    test('text without deltas is taken from the first event that has it', async () => {
      const last = { type: 'response.output_text.done', output_index: 0, item_id: 'i1', text: 'So far' }
      expect((await answered(created, last, ended('completed', []))).answer.text).toBe('So far')
      const output = [message(said('So far')), { ...message(said(' so good')), id: 'i2' }]
      const { answer } = await answered(created, delta('output_text', 'So far'), ended('completed', output))
      expect(answer.text).toBe('So far so good')
      expect((await whole(response('completed', [{ ...message(), content: 'Said' }]))).answer.text).toBe(
        'Said',
      )
    })
  })

  test.each(['queued', 'in_progress'])(
    'a whole response that is %s says so, and is no normal stop',
    async (status) => {
      expect((await whole(response(status, []))).answer).toMatchObject({
        text: '',
        finishReason: 'other',
        rawFinishReason: status,
      })
    },
  )
})
