/** A worker dies at each await of a turn with two tools: once, and twice. Every schedule must end well. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../src/config/load.ts'
import { openBackend, type QueueBackend } from '../../src/queue/backend.ts'
import { clientOn, type TurnClient } from '../../src/queue/client/client.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { type Agent, defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import type { CallModel } from '../../src/runtime/turn/turn-context.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { createLife, type Life, wakeMortal } from './mortal-worker.ts'
import { scriptedModel } from './scripted-worker.ts'

const IMMORTAL = Number.POSITIVE_INFINITY
/** Schedules that run side by side; each has a turn and a session of its own. */
const SIDE_BY_SIDE = 16
const PATIENCE = 10

let server: RedisServer
let backend: QueueBackend
let client: TurnClient

beforeAll(async () => {
  server = await startAnyRedis()
  const config = await loadConfig({ redis: { url: server.url, prefix: 'crash', durability: 'none' } })
  backend = await openBackend(config)
  client = clientOn(backend, { queue: 'turns', telemetry: noTelemetry })
})
afterAll(async () => {
  await client.close()
  await server.close()
})

type Outcome = {
  state: string
  pay: number
  put: readonly string[]
  answers: number
  reviews: number
  points: number
}

/** One turn whose workers die at the points of `schedule`, one after the other; the last one lives. */
async function live(schedule: readonly number[]): Promise<Outcome> {
  const effects = { pay: 0, put: [] as string[], answers: 0 }
  const turn = await client.enqueue('a', { input: 'pay and put' })
  let reviews = 0
  let points = 0
  for (let i = 0; i < PATIENCE; i++) {
    const life = createLife(schedule[i] ?? IMMORTAL)
    await wakeMortal(turn.id, {
      backend,
      agents: [agentOf(life, effects)],
      callModel: modelOf(effects),
      life,
    })
    if (i === 0) points = life.points()
    const { state } = await turn.read()
    if (['completed', 'failed', 'cancelled'].includes(state)) return { state, ...effects, reviews, points }
    if (state !== 'needs_review') continue
    reviews++
    const done = effects.pay > 0
    await client.resolve(turn.id, 'c1', { done, by: 'effect log', ...(done && { result: 'paid' }) })
  }
  return { state: (await turn.read()).state, ...effects, reviews, points }
}

function agentOf(life: Life, effects: { pay: number; put: string[] }): Agent {
  const tool = (name: string, effect: 'unsafe' | 'idempotent', act: (key: string) => void) =>
    defineTool({
      name,
      description: name,
      inputSchema: z.object({}),
      effect,
      execute: (_input, { idempotencyKey }) =>
        life.pass(async () => {
          act(idempotencyKey)
          return `${name} done`
        }),
    })
  const pay = tool('pay', 'unsafe', () => effects.pay++)
  const put = tool('put', 'idempotent', (key) => effects.put.push(key))
  return defineAgent({ name: 'a', model: 'm', tools: [pay, put] })
}

/** Asks for both tools, then answers; it looks at the request, so it does not matter who asks. */
function modelOf(effects: { answers: number }): CallModel {
  return async (request, emit, options) => {
    const hasResults = request.messages.some((message) => message.role === 'tool')
    const calls = [
      { id: 'c1', name: 'pay', input: {} },
      { id: 'c2', name: 'put', input: {} },
    ]
    effects.answers++
    return scriptedModel(hasResults ? { text: 'All done.' } : { calls }).call(request, emit, options)
  }
}

async function runAll(schedules: readonly (readonly number[])[]): Promise<void> {
  for (let from = 0; from < schedules.length; from += SIDE_BY_SIDE) {
    const some = schedules.slice(from, from + SIDE_BY_SIDE)
    const outcomes = await Promise.all(some.map(live))
    for (const [i, outcome] of outcomes.entries()) {
      const told = `workers died at ${some[i]}: ${JSON.stringify(outcome)}`
      expect(outcome.state, told).toBe('completed')
      expect(outcome.pay, told).toBeLessThanOrEqual(1)
      expect(outcome.put.length, told).toBeGreaterThanOrEqual(1)
      expect(new Set(outcome.put).size, told).toBe(1)
      expect(outcome.reviews, told).toBeLessThanOrEqual(1)
      // A committed answer or result is never asked for again, so each death costs at most one more.
      const deaths = (some[i] as readonly number[]).length
      expect(outcome.answers, told).toBeLessThanOrEqual(2 + deaths)
      expect(outcome.put.length, told).toBeLessThanOrEqual(1 + deaths)
      // A review that says "done" where nothing was done is not possible: the log is asked.
      if (outcome.reviews === 0) expect(outcome.pay, told).toBe(1)
    }
  }
}

test('a worker that dies at any one await leaves a turn that ends, with at most one unsafe effect', async () => {
  const { points, state } = await live([])
  expect(state).toBe('completed')
  expect(points).toBeGreaterThan(20)
  await runAll(Array.from({ length: points }, (_, i) => [i + 1]))
}, 60_000)

test('two workers that die one after the other at any two awaits do no worse', async () => {
  const { points } = await live([])
  const all = Array.from({ length: points }, (_, i) => i + 1)
  await runAll(all.flatMap((first) => all.map((second) => [first, second])))
}, 60_000)
