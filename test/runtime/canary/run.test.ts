/** What counts of an answer, on a model that plays its answers in order. */

import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { TurnkeeperError } from '../../../src/errors.ts'
import type { RunOutcome } from '../../../src/providers/routing/engine-types.ts'
import type { ProviderRuntime } from '../../../src/providers/runtime.ts'
import type { FinishReason, ModelRequest, StreamPart } from '../../../src/providers/types.ts'
import { blueSquare } from '../../../src/runtime/canary/image.ts'
import { runScenario } from '../../../src/runtime/canary/run.ts'
import { SCENARIOS } from '../../../src/runtime/canary/scenarios.ts'

type Act =
  | { readonly says?: string; readonly calls?: readonly [string, unknown][]; readonly finish: FinishReason }
  | { readonly fails: 'cancelled' | 'stall' }

/** A model that plays its acts, and what it was asked. */
function playing(...acts: readonly Act[]) {
  const asked: ModelRequest[] = []
  const run: ProviderRuntime['run'] = async (request, emit) => {
    const act = acts[asked.length]
    asked.push(request)
    if (act === undefined) throw new Error('asked once too often')
    if ('fails' in act) {
      const outcome = act.fails === 'cancelled' ? 'cancelled' : 'failed'
      return { ...OUTCOME, outcome, error: new TurnkeeperError(act.fails, 'scripted') }
    }
    for (const part of partsOf(act)) emit(part)
    return OUTCOME
  }
  return { models: { run }, asked }
}

const OUTCOME: RunOutcome = {
  ...{ outcome: 'ok', route: 'p/m', attempts: [], usage: null, decisions: [], costUsd: 0.5 },
}

function* partsOf({
  says = '',
  calls = [],
  finish,
}: Extract<Act, { finish: unknown }>): Iterable<StreamPart> {
  yield { type: 'start', requestId: null, model: 'm', route: 'p/m' }
  if (says !== '') yield { type: 'text', delta: says }
  for (const [index, [name, input]] of calls.entries())
    yield { type: 'tool_call', index, id: `call_${index}`, name, input }
  yield { type: 'finish', reason: finish, rawReason: null }
}

const CALLS: Act = { calls: [['look_up_weather', { city: 'Lisbon' }]], finish: 'tool_calls' }
const SAYS: Act = { says: 'Sunny.', finish: 'stop' }

test.each<[string, keyof typeof SCENARIOS, readonly Act[], string | undefined]>([
  ['text that finished is well', 'text', [SAYS], undefined],
  ['no text is not', 'text', [{ says: ' \n', finish: 'stop' }], 'no_text'],
  ['nor is one that was cut', 'text', [{ says: 'Sun', finish: 'length' }], 'finish_length'],
  ['nor one that was filtered', 'text', [{ finish: 'content_filter' }], 'finish_content_filter'],
  ['a call, and an answer to its result, are well', 'tools', [CALLS, SAYS], undefined],
  ['a model that calls no tool has failed', 'tools', [SAYS], 'no_tool_call'],
  ['one that calls another has', 'tools', [{ calls: [['x', {}]], finish: 'tool_calls' }], 'unknown_tool'],
  [
    'one whose arguments do not fit has',
    'tools',
    [{ calls: [['look_up_weather', { town: 'Lisbon' }]], finish: 'tool_calls' }],
    'invalid_arguments',
  ],
  ['one that is cut before its call has', 'tools', [{ finish: 'length' }], 'finish_length'],
  ['one that says nothing in the end has', 'tools', [CALLS, { finish: 'stop' }], 'no_text'],
  ['one that calls again has', 'tools', [CALLS, CALLS], 'finish_tool_calls'],
  ['an error is told by its code', 'tools', [CALLS, { fails: 'stall' }], 'network/stall'],
])('%s', async (_name, scenario, acts, code) => {
  const { models, asked } = playing(...acts)
  const run = await runScenario(models, { scenario: SCENARIOS[scenario], model: 'coder' })
  expect([run.result, run.code]).toEqual([code === undefined ? 'ok' : 'failed', code])
  expect(asked).toHaveLength(acts.length)
})

test('what a caller cancels is no failure (N3)', async () => {
  const { models } = playing(CALLS, { fails: 'cancelled' })
  const run = await runScenario(models, { scenario: SCENARIOS.tools, model: 'coder' })
  expect(run.result).toBe('cancelled')
})

test('nothing that was asked or answered is told, but the route, the time and the cost (N2)', async () => {
  const { models } = playing(CALLS, SAYS)
  const clock = (() => {
    let now = 0
    return () => (now += 10)
  })()
  const run = await runScenario(models, { scenario: SCENARIOS.tools, model: 'coder' }, { clock })
  expect(run).toEqual({
    ...{ scenario: 'tools', model: 'coder', route: 'p/m', result: 'ok', costUsd: 1 },
    durationMs: expect.any(Number),
  })
})

test('every call is bounded, and the result goes back with all calls, reasoning and an image', async () => {
  const photo: Act = { calls: [['take_photo', { camera: 'Front' }]], finish: 'tool_calls' }
  const { models, asked } = playing(photo, SAYS)
  await runScenario(models, { scenario: SCENARIOS['tool-image'], model: 'coder' })
  for (const { parameters } of asked) expect(parameters?.maxTokens).toBeLessThanOrEqual(1024)
  expect(asked[1]?.messages).toMatchObject([
    { role: 'user' },
    { role: 'assistant', toolCalls: [{ id: 'call_0', name: 'take_photo' }] },
    {
      role: 'tool',
      toolCallId: 'call_0',
      content: [{ type: 'text' }, { type: 'image', mediaType: 'image/png' }],
    },
  ])
})

test('the image is a small PNG of one colour', () => {
  const png = Buffer.from(blueSquare().data, 'base64')
  expect(png.length).toBeLessThan(400)
  expect(png.toString('latin1', 1, 4)).toBe('PNG')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([64, 64])
  const at = png.indexOf('IDAT')
  const pixels = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)))
  expect(pixels).toHaveLength(64 * (1 + 64 * 3))
  expect([...pixels.subarray(1, 4)]).toEqual([...pixels.subarray(-3)])
})
